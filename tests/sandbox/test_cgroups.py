"""Which control groups are ours to divide, and what is written into them.

The files of a hierarchy are plain files here: few machines delegate a real one to a test. What the
kernel makes of these values is the kernel's.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlgym.sandbox import cgroups
from mlgym.sandbox.base import MB, Limits


def group(folder: Path, controllers: str = "cpu memory pids", processes: str = "") -> Path:
    folder.mkdir(parents=True)
    (folder / "cgroup.controllers").write_text(controllers)
    (folder / "cgroup.subtree_control").write_text("")
    (folder / "cgroup.procs").write_text(processes)
    return folder


@pytest.fixture
def hierarchy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLGYM_CGROUP", raising=False)
    monkeypatch.setattr(cgroups, "_mounted", lambda: tmp_path)
    monkeypatch.setattr(cgroups, "_own_path", lambda: "/own")
    return tmp_path


def test_a_group_that_holds_nobody_else_is_divided(hierarchy: Path) -> None:
    own = group(hierarchy / "own", processes=f"{os.getpid()}\n")
    group(own / "mlgym-main")
    assert cgroups.delegated() == (own, "")
    assert (own / "mlgym-main" / "cgroup.procs").read_text() == str(os.getpid())
    assert (own / "cgroup.subtree_control").read_text() == "+cpu"  # the last of three writes


def test_from_its_leaf_a_process_finds_the_group_again(
    hierarchy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = group(hierarchy / "own")
    group(own / "mlgym-main")
    monkeypatch.setattr(cgroups, "_own_path", lambda: "/own/mlgym-main")
    assert cgroups.delegated() == (own, "")


@pytest.mark.parametrize(
    ("controllers", "processes", "why"),
    [
        ("cpu memory", "{own}", "offers no controller pids"),
        ("", "{own}", "offers no controller memory and pids"),
        ("cpu memory pids", "{own}\n1\n", "other processes are in"),
    ],
)
def test_what_is_not_ours_is_left_alone_and_said(
    hierarchy: Path, controllers: str, processes: str, why: str
) -> None:
    own = group(hierarchy / "own", controllers, processes.format(own=os.getpid()))
    found, said = cgroups.delegated()
    assert found is None
    assert why in said
    assert (own / "cgroup.subtree_control").read_text() == ""


def test_a_group_named_by_the_operator_is_taken(
    hierarchy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = group(hierarchy / "named")
    monkeypatch.setenv("MLGYM_CGROUP", str(named))
    assert cgroups.delegated() == (named, "")
    monkeypatch.setenv("MLGYM_CGROUP", str(hierarchy / "missing"))
    assert "offers no controller" in cgroups.delegated()[1]


def test_limits_become_the_kernels_values(tmp_path: Path) -> None:
    parent = group(tmp_path / "parent")
    made = parent / "box"
    made.mkdir()
    for name in ("cpu.max", "memory.swap.max"):
        (made / name).touch()
    limits = Limits(cpus=1.5, memory_bytes=64 * MB, processes=20)
    found = cgroups.make_group(parent, "box", limits)
    assert (made / "memory.max").read_text() == str(64 * MB)
    assert (made / "memory.swap.max").read_text() == "0"
    assert (made / "pids.max").read_text() == "20"
    assert (made / "cpu.max").read_text() == "150000 100000"
    assert set(found.mechanism) == {"memory_bytes", "processes", "cpus"}
    found.add(4711)
    assert (made / "cgroup.procs").read_text() == "4711"


def test_an_empty_group_is_removed(tmp_path: Path) -> None:
    found = cgroups.make_group(group(tmp_path / "parent"), "box", Limits(None, None, None))
    found.remove()
    found.remove()
    assert not found.path.exists()
