"""Suites: a matrix of tasks, agents, models and seeds, played by several processes at once."""
