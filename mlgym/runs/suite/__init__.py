"""Suites: a matrix of tasks, agents, models and seeds, played by several processes at once."""

SUITE = "suite.json"
"""What a suite's folder holds beside its runs: what it is."""
