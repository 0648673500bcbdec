"""Streams: what happens is told as it happens, whole lines only, each once."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from run_folders import BRIEF, acted, lay_run
from viewers import Viewer, viewing

from mlgym.runs.store import RunFolder
from mlgym.trajectory import to_line

GOING: dict[str, Any] = {"status": "unscored", "exit_reason": None, "score": None}


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlgym.view.server.STEP_S", 0.02)
    monkeypatch.setattr("mlgym.view.server.ROWS_S", 0.02)


def grow(run: RunFolder) -> None:
    """Ten further steps, each in two pieces, and then the end."""
    with run.held(), (run.path / "trajectory.jsonl").open("a") as file:
        for step in range(2, 12):
            line = to_line(acted(step, f"echo {step}"))
            for piece in (line[:20], line[20:]):
                file.write(piece)
                file.flush()
                time.sleep(0.02)
        run.write_record({**run.record(), "status": "scored", "exit_reason": "submitted"})


def test_a_growing_run_is_told_line_by_line_until_it_ends(viewer: Viewer, runs: Path) -> None:
    run = lay_run(runs / "a", [BRIEF, acted(1, "ls")], **GOING)
    told = viewer.json("/api/run", id="a")
    seen: list[int] = []
    states: list[str] = []
    with viewer.events(f"/api/follow?id=a&end={told['end']}") as events:
        thread = threading.Thread(target=grow, args=(run,))
        thread.start()
        for kind, found in events:
            if kind == "steps":
                assert found["from"] == 2 + len(seen)
                seen += [step["step"] for step in found["steps"]]
            elif kind == "record":
                states.append(found["row"]["status"])
                assert found["record"]["task"] == "number"
        thread.join()
    assert kind == "done"
    assert seen == list(range(2, 12))
    assert "running" in states
    assert states[-1] == "scored"


def test_a_reader_gets_what_it_has_not_got(viewer: Viewer, runs: Path) -> None:
    run = lay_run(runs / "a", [BRIEF, *(acted(step, "ls") for step in range(1, 5))])
    first = len(to_line(BRIEF))
    for end, begin in ((0, 0), (first, 1), (10**9, 0)):
        with viewer.events(f"/api/follow?id=a&end={end}") as events:
            kinds = dict(events)
        assert list(kinds) == ["steps", "record", "done"]
        assert (kinds["steps"]["from"], len(kinds["steps"]["steps"])) == (begin, 5 - begin)
        assert kinds["steps"]["end"] == os.path.getsize(run.path / "trajectory.jsonl")  # noqa: PTH202


def test_a_trajectory_that_is_written_anew_is_told_from_its_start(
    viewer: Viewer, runs: Path
) -> None:
    run = lay_run(runs / "a", [BRIEF, acted(1, "ls"), acted(2, "ls")], **GOING)
    end = viewer.json("/api/run", id="a")["end"]
    with run.held(), viewer.events(f"/api/follow?id=a&end={end}") as events:
        assert next(events)[0] == "record"
        lines = [BRIEF, *(acted(step, "pwd") for step in range(1, 6))]
        (run.path / "trajectory.jsonl").write_text("".join(map(to_line, lines)))
        found = next(told for kind, told in events if kind == "steps" and told["steps"])
        assert found["from"] == 0
        assert found["steps"][-1]["action"] == "pwd"


def test_a_run_that_seems_cut_off_is_done_when_nothing_has_happened_for_a_while(
    viewer: Viewer, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlgym.view.follow._QUIET_S", 0.2)
    lay_run(runs / "a", **GOING)
    with viewer.events("/api/follow?id=a&end=0") as events:
        assert [kind for kind, _ in events] == ["steps", "record", "done"]


def test_the_table_is_told_of_what_changes_comes_and_goes(viewer: Viewer, runs: Path) -> None:
    run = lay_run(runs / "a", **GOING)
    lay_run(runs / "b")
    version = viewer.json("/api/runs")["version"]
    # Nothing is lost of what happens before one follows.
    run.write_record({**run.record(), "status": "scored", "exit_reason": "submitted"})
    with viewer.events(f"/api/follow-runs?since={version}") as events:
        kind, told = next(events)
        assert (kind, told["gone"]) == ("rows", [])
        assert told["rows"] == [list(viewer.rows()["a"].values())]
        shutil.rmtree(runs / "b")
        told = next(events)[1]
        assert (told["rows"], told["gone"]) == ([], ["b"])
        lay_run(runs.parent / "b").path.rename(runs / "b")
        told = next(events)[1]
        assert ([row[0] for row in told["rows"]], told["gone"]) == (["b"], [])
    with viewer.events(f"/api/follow-runs?since={version}") as events:
        assert {row[0] for row in next(events)[1]["rows"]} == {"a", "b"}
    viewer.json("/api/run", id="a")
    with viewer.events(f"/api/follow-runs?since={told['version']}") as events:
        run.write_record({**run.record(), "total_reward": 0.75})
        viewer.json("/api/run", id="a")  # whoever sees it first, each reader is told
        assert [row[0] for row in next(events)[1]["rows"]] == ["a"]


def test_streams_do_not_keep_the_server_from_ending(runs: Path) -> None:
    run = lay_run(runs / "a", **GOING)
    began = time.monotonic()
    with run.held(), viewing(runs) as viewer, viewer.events("/api/follow?id=a&end=0") as events:
        assert next(events)[0] == "steps"
    assert time.monotonic() - began < 5
