"""How fast a sandbox is, beside what plain bash does in the same run on the same core."""
