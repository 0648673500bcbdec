"""Grading policies in tests: one by the whole of a grading, or many by a referee started once."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mlgym.sandbox.backends import load_backend
from mlgym.sandbox.base import SandboxSpec
from mlgym.sandbox.images import build_environment, load_image
from mlgym.task.data import prepare
from mlgym.task.grading import ANSWERS_INSIDE, GRADER_INSIDE, KIT_INSIDE, Grader, kit_folder
from mlgym.task.spec import find_task

DRIVER = Path(__file__).with_name("policy_driver.py")
POLICY = """\
import numpy as np

class Policy:
    def act(self, observations, state):
        n = len(observations)
        {body}

def load(folder):
    return Policy()
"""


def policy(body: str) -> dict[str, str]:
    """A submission whose `act` does `body`: it sees `observations`, `state` and their number."""
    return {"policy.py": POLICY.format(body=body), "weights/none.txt": ""}


def grader_of(name: str, profile: str = "mini") -> Grader:
    task = find_task(name)
    python = build_environment(load_image(task.spec.image), print) / "bin" / "python"
    return Grader(task, prepare(task, profile, 0, python), load_backend("bubblewrap"))


def grade(grader: Grader, files: Mapping[str, str], split: str = "test") -> dict[str, float]:
    return grader.grade({name: text.encode() for name, text in files.items()}, split)  # type: ignore[arg-type]


def outcomes(
    name: str, cases: Mapping[str, Mapping[str, str]], profile: str = "mini"
) -> dict[str, dict[str, float] | str]:
    """What comes of each submission: its metrics, or the words with which it is refused."""
    task = find_task(name)
    python = build_environment(load_image(task.spec.image), print) / "bin" / "python"
    prepared = prepare(task, profile, 0, python)
    mounts = (
        (kit_folder(), KIT_INSIDE),
        (prepared.private, ANSWERS_INSIDE),
        (task.folder / "grader", GRADER_INSIDE),
    )
    with tempfile.TemporaryDirectory() as folder:
        spec = SandboxSpec(task.spec.image, Path(folder), mounts, task.spec.limits())
        with load_backend("bubblewrap")(spec) as sandbox:
            sandbox.write("/workspace/cases.json", json.dumps(cases).encode())
            sandbox.write("/workspace/policy_driver.py", DRIVER.read_bytes())
            done = sandbox.run("python policy_driver.py", 240)
            assert done.exit_code == 0, done.output
            return json.loads(done.output.splitlines()[-1])
