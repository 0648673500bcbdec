"""The actions an agent has: a registry of tools, each with a text form and a JSON form."""
