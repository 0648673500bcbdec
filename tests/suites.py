"""Small suites in processes of their own, to be killed, and what is told of their runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlgym.runs.store import RECORD, RunFolder

SCRIPT: tuple[Any, ...] = (
    {"calls": [["bash", {"command": "export N=3; echo 1 >> log; cat log; sleep 0.05"}]]},
    {"calls": [["bash", {"command": "echo 4 > answer.txt"}], ["validate", {}]]},
    {"calls": [["bash", {"command": "echo $N >> log; cat log; sleep 0.05"}]]},
    {"calls": [["bash", {"command": "echo 8 > answer.txt; cat log"}], ["submit", {}]]},
)


@dataclass(frozen=True)
class House:
    """A folder in which suites are played: its tasks by name, its scripted model."""

    folder: Path
    model: str

    def start(self, *words: object, **options: Any) -> subprocess.Popen[str]:
        """`mlgym eval` with these words, in a session of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "mlgym", "eval", *map(str, words)],
            cwd=self.folder,
            env={**os.environ, "MLGYM_PATH": str(self.folder), "MLGYM_DEBUG": "1"},
            text=True,
            start_new_session=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )

    def play(self, *words: object, code: int = 0) -> dict[str, Any]:
        """What it prints as JSON, at its end."""
        return ended(self.start(*words, "--json"), code)


def ended(process: subprocess.Popen[str], code: int = 0) -> dict[str, Any]:
    out, err = process.communicate(timeout=240)
    assert process.returncode == code, f"{process.returncode}: {err}"
    return json.loads(out)


def make_house(folder: Path, lay: Callable[[Path], Path], names: Iterable[str]) -> House:
    """A house with the number task under each of `names`."""
    task = lay(folder)
    for name in names:
        copy = task.with_name(name)
        for path in task.rglob("*"):
            if path.is_file():
                place = copy / path.relative_to(task)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(path.read_text().replace("id: number", f"id: {name}"))
    return House(folder, write_script(folder / "script.jsonl", SCRIPT))


def write_script(path: Path, script: Iterable[Any]) -> str:
    """The name of the model that says `script`."""
    path.write_text("".join(json.dumps(line) + "\n" for line in script))
    return f"scripted:{path}"


def told(suite: Path) -> dict[str, Any]:
    """All runs of a suite by their folders' names, but for times and where they lie."""
    found: dict[str, Any] = {}
    for path in sorted(suite.glob(f"*/{RECORD}")):
        folder = RunFolder(path.parent)
        record = folder.record()
        for key in ("started_at", "duration_s"):
            del record[key]
        del record["config"]["out"]
        steps = [replace(step, time=0.0, duration_s=0.0) for step in folder.transitions()]
        found[folder.run_id] = (record, steps)
    return found
