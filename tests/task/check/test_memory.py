"""What was found sound is kept, and repeated when a part that it follows from has changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from preparing import rewrite

from mlgym.task.check.claims import Claim, Finding
from mlgym.task.check.memory import Memory
from mlgym.task.spec import load_task

PARTS = {
    "data": "data.py",
    "grader": "grader/grade.py",
    "solution": "solution/solution.py",
    "spec": "task.yaml",
    "workspace": "workspace/baseline.py",
}


def claim_on(*parts) -> Claim:
    return Claim("2 + 2 / 4", lambda: "", parts)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "checks", "bubblewrap")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("changed", PARTS)
def test_a_finding_falls_with_its_own_part_and_no_other(toy_task, memory, part, changed):
    claim = claim_on(part)
    memory.keep(load_task(toy_task), "mini", claim, Finding(claim.name, True, "four", 1.5))
    found = memory.recall(load_task(toy_task), "mini", claim)
    assert found == Finding(claim.name, True, "four", 1.5, kept=True)
    if changed == "spec":
        rewrite(toy_task, "task.yaml", "{error: 2}", "{error: 2.5}")
    else:
        (toy_task / PARTS[changed]).write_text("# changed")
    assert (memory.recall(load_task(toy_task), "mini", claim) is None) == (part == changed)


def test_words_in_the_spec_change_no_finding(toy_task, memory):
    claim = claim_on("spec")
    memory.keep(load_task(toy_task), "mini", claim, Finding(claim.name, True, "", 0))
    rewrite(toy_task, "task.yaml", "A toy", "Another toy")
    assert memory.recall(load_task(toy_task), "mini", claim) is not None


def test_what_failed_or_hangs_on_nothing_is_not_kept(toy_task, memory):
    task = load_task(toy_task)
    for claim, ok in ((claim_on("data"), False), (claim_on(), True)):
        memory.keep(task, "mini", claim, Finding(claim.name, ok, "", 0))
        assert memory.recall(task, "mini", claim) is None
    assert not memory.folder.exists()


def test_profiles_sandboxes_and_a_fresh_start_are_apart(toy_task, memory):
    task, claim = load_task(toy_task), claim_on("data", "image")
    memory.keep(task, "mini", claim, Finding(claim.name, True, "", 0))
    assert memory.recall(task, "mini", claim) is not None
    assert memory.recall(task, "full", claim) is None
    assert Memory(memory.folder, "docker").recall(task, "mini", claim) is None
    assert Memory(memory.folder, "bubblewrap", fresh=True).recall(task, "mini", claim) is None


def test_a_damaged_file_is_as_good_as_none(toy_task, memory):
    task, claim = load_task(toy_task), claim_on("data")
    memory.keep(task, "mini", claim, Finding(claim.name, True, "", 0))
    (file,) = memory.folder.rglob("*.json")
    for damage in ("", "[]", "{}", '{"hash": 1}'):
        file.write_text(damage)
        assert memory.recall(task, "mini", claim) is None
