"""Plays a game's grader against a strategy in one plain process: what its simulation costs alone.

Runs by itself under an image's interpreter, where mlgym is not installed. Arguments: the grader's
script, the folder of the strategy. Prints the metrics as JSON.
"""

import importlib.util
import json
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np


class BarePlayer:
    """The strategy, called directly: no process, no frame, no limit between it and the referee."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.module = ModuleType("none")
        self.histories: list[list[tuple[Any, Any]]] = []
        self.moves: list[Any] = []

    def load(self, path: str, seed: int, timeout_s: float = 0.0) -> None:
        del timeout_s
        random.seed(seed)
        np.random.seed(seed % 2**32)
        self.module = load(self.folder / path)

    def play(self, function: str, last: Any, timeout_s: float = 0.0) -> list[Any]:
        """One round of every match: `last` is the opponents' moves, or the number of matches."""
        del timeout_s
        if isinstance(last, int):
            self.histories = [[] for _ in range(last)]
        else:
            for history, own, other in zip(self.histories, self.moves, last.tolist(), strict=True):
                history.append((own, other))
        strategy = getattr(self.module, function)
        self.moves = [strategy(history.copy()) for history in self.histories]
        return self.moves


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        sys.exit(f"{path}: is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(script: str, folder: str) -> None:
    kit: Any = ModuleType("mlgym_kit")
    kit.SubmissionError = ValueError
    sys.modules["mlgym_kit"] = kit
    grade = load(Path(script)).grade
    found = grade(BarePlayer(Path(folder)), Path(), "validation", np.random.default_rng(0))
    print(json.dumps({name: float(value) for name, value in found.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
