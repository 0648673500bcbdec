"""Every shipped task is what it says it is, on its `mini` data.

A task with the tag `slow` takes longer to prove than these tests may: here it is proved without
the runs of its baseline and solution, unless `MLGYM_TEST_TASKS=all` says so (`make test-tasks`):
then all that has changed since it was last proved, as `mlgym tasks check` does.
"""

import os

import pytest

from mlgym import catalog
from mlgym.sandbox.backends import load_backend
from mlgym.sandbox.images import build_environment, load_image
from mlgym.task.check import Memory, check_task
from mlgym.task.spec import find_task, task_files

NAMES = sorted(catalog.shelf("tasks"))
WHOLLY = os.environ.get("MLGYM_TEST_TASKS") == "all"


@pytest.mark.timeout(3600 if WHOLLY else 900)
@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_task_is_sound(name):
    task = find_task(name)
    reduced = "slow" in task.spec.tags and not WHOLLY
    python = build_environment(load_image(task.spec.image), print) / "bin" / "python"
    backend = load_backend("bubblewrap")
    memory = Memory(catalog.home() / "checks", "bubblewrap") if WHOLLY else None
    report = check_task(task, "mini", backend, python, print, reduced=reduced, memory=memory)
    assert [finding for finding in report.findings if not finding.ok] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_task_explains_itself(name):
    task = find_task(name)
    assert (task.folder / "workspace" / "README.md").is_file()
    for profile in task.spec.profiles:
        text = task.brief_text(profile)
        assert task.spec.primary.name in text
        assert all(path in text for path in task.spec.submission.paths)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_committed_for_a_task_is_small(name):
    """At most 4 MB of data, and nothing that a program left behind."""
    files = [path for _, path in task_files(find_task(name).folder)]
    assert sum(path.stat().st_size for path in files) <= 4 * 1024**2
    assert not {path.suffix for path in files} & {".whl", ".pkl", ".zip", ".tar", ".gz"}
