"""Runs on disk, and the one function that makes a run."""
