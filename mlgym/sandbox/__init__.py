"""Where an agent's commands run: one protocol, two backends, one conformance suite."""
