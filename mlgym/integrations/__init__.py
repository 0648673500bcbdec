"""MLGym inside other people's trainers, each an extra of its own. Importing this loads none."""
