"""Writes down how the environment is played, and, for the referee, which episodes count.

Without anything random after the start, gymnax's Breakout would be solved by a list of moves.
`mini` therefore makes actions stick; `full` keeps the conditions of the published scores.
"""

import json
from pathlib import Path

STICKINESS = {"mini": 0.1, "full": 0.0}


def prepare(profile: str, data_seed: int, public: Path, private: Path) -> None:
    conditions = {"environment": "Breakout-MinAtar", "stickiness": STICKINESS[profile]}
    (public / "conditions.json").write_text(json.dumps(conditions) + "\n")
    counted = "sticky" if STICKINESS[profile] else "plain"
    (private / "counted.txt").write_text(f"{counted}\n")
