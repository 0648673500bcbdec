"""The command line: one file for each group of commands, which load what they need when called."""
