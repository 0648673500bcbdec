"""MLGym."""
