"""Run folders that somebody made up in order to do harm: shown as broken, and hiding no others."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import quote

from run_folders import BRIEF, acted, lay_run
from viewers import PNG, Viewer

from mlgym.runs.listing import list_runs
from mlgym.trajectory import to_line
from mlgym.types import Image

DEEP = "[" * 100_000 + "]" * 100_000


def test_ids_that_lead_outside_are_no_runs(viewer: Viewer, runs: Path) -> None:
    lay_run(runs / "a")
    lay_run(runs.parent / "outside")
    (runs / "link").symlink_to(runs.parent / "outside")
    (runs / "way").symlink_to(runs.parent)
    outside = str(runs.parent / "outside")
    for wanted in ("../outside", "link", "way/outside", outside, "a/../../outside", "a/.", "", "."):
        for path in ("/api/run", "/api/steps", "/api/follow", "/export", "/api/image"):
            answer = viewer.ask(path, id=wanted, name="run.json")
            assert answer.status == 404
            assert answer.json()["error"]
    assert set(viewer.rows()) == {"a"}


def test_a_run_that_becomes_a_link_is_not_followed(viewer: Viewer, runs: Path) -> None:
    lay_run(runs / "suite" / "a")
    assert viewer.ask("/api/run", id="suite/a").status == 200
    (runs / "suite").rename(runs.parent / "elsewhere")
    (runs / "suite").symlink_to(runs.parent / "elsewhere")
    assert viewer.ask("/api/run", id="suite/a").status == 404


def test_files_that_are_links_pipes_or_devices_are_not_read(viewer: Viewer, runs: Path) -> None:
    secret = runs.parent / "secret"
    secret.write_text('{"status": "scored", "exit_reason": "x", "task": "secret"}\n')
    image = Image("image/png", PNG)
    for name, lay in (
        ("link", lambda path: path.symlink_to(secret)),
        ("pipe", os.mkfifo),
        ("folder", Path.mkdir),
    ):
        path = lay_run(runs / name).path
        for part in ("run.json", "trajectory.jsonl", "log.txt"):
            (path / part).unlink(missing_ok=True)
            lay(path / part)
        (path / "images").symlink_to(runs.parent)
    (runs.parent / image.name.removeprefix("images/")).write_bytes(PNG)
    rows = viewer.rows()
    assert {row["status"] for row in rows.values()} == {"broken"}
    assert "folder" not in rows  # it holds nothing that a run holds
    for name in rows:
        told = viewer.json("/api/run", id=name)
        assert (told["record"], told["steps"], told["log"], told["images"]) == (None, [], "", [])
        assert b"secret" not in viewer.ask("/api/run", id=name).body
        assert viewer.ask("/api/image", id=name, name=image.name).status == 404


def test_broken_records_hide_no_others(viewer: Viewer, runs: Path) -> None:
    records = {
        "array": "[]",
        "cut": '{"status": "sco',
        "deep": DEEP,
        "deep inside": '{"status": "scored", "exit_reason": "x", "config": ' + DEEP + "}",
        "empty": "",
        "binary": "\0\x01",
    }
    for name, text in records.items():
        (lay_run(runs / name).path / "run.json").write_text(text)
    lay_run(runs / "well")
    rows = viewer.rows()
    assert {name for name, row in rows.items() if row["status"] == "broken"} == set(records)
    for name in records:
        assert viewer.json("/api/run", id=name)["record"] is None
    nested = runs / "well" / "run.json"
    for depth in range(900, 1000, 7):  # deep enough to be read, and maybe not to be written
        nested.write_text('{"status": "scored", "a": ' + "[" * depth + "]" * depth + "}")
        assert viewer.ask("/api/run", id="well").status == 200


def test_numbers_that_no_browser_reads_are_null(viewer: Viewer, runs: Path) -> None:
    path = lay_run(runs / "a").path / "run.json"
    text = '{"status": "scored", "exit_reason": "\\ud800", "total_reward": 1e999, "seed": %s,'
    text += ' "duration_s": %s, "steps": NaN, "usage": {"cost_usd": -Infinity, "calls": [NaN]}}'
    path.write_text(text % ("9" * 400, "9" * 400))
    row = viewer.rows()["a"]
    assert (row["exit_reason"], row["total_reward"], row["seed"]) == ("\ud800", None, None)
    assert (row["duration_s"], row["steps"], row["cost_usd"]) == (None, None, None)
    assert viewer.json("/api/run", id="a")["record"]["usage"] == {"cost_usd": None, "calls": [None]}
    assert list_runs(runs)[0].duration_s is None


def test_lines_that_are_no_steps_are_shown_as_such(viewer: Viewer, runs: Path) -> None:
    odd = {"step": "one", "parent": 1e999, "thought": [], "action": {}, "observation": None}
    odd |= {"reward": True, "metrics": {"a": "nan", "b": 9**999, "c": 1}, "usage": {"calls": -1}}
    odd |= {"tool": 5, "exit_code": 2.5, "time": "now", "image": "../../x.png", "extra": DEEP}
    lines = ["[]", "null", DEEP, "{", "", "\x1b[31m", json.dumps(odd), '{"usage": 5, "step": NaN}']
    path = lay_run(runs / "a").path / "trajectory.jsonl"
    good = to_line(acted(len(lines), "ls", "\ud800<script>alert(1)</script>"))
    path.write_text("".join(f"{line}\n" for line in lines) + good + '{"step": 1, "torn')
    told = viewer.json("/api/run", id="a")
    short, whole = told["steps"], viewer.json("/api/steps", id="a")["steps"]
    assert len(short) == len(whole) == len(lines) + 1
    for step in (*short[:6], *whole[:6]):
        assert "this line" in step["problem"]
    assert whole[5]["observation"] == "\x1b[31m"
    assert whole[6] == {
        **{"step": 6, "parent": None, "thought": "", "action": None, "observation": ""},
        **{"tool": "", "reward": None, "terminated": False, "truncated": False},
        **{"exit_code": None, "metrics": {"a": None, "b": None, "c": 1}},
        **{"usage": dict.fromkeys(whole[6]["usage"]), "duration_s": None, "time": None, "diff": []},
    }
    assert whole[-1]["observation"] == "\ud800<script>alert(1)</script>"
    assert told["end"] == path.stat().st_size - len('{"step": 1, "torn')


def test_a_name_that_no_browser_can_send_has_an_id_that_it_can(viewer: Viewer, runs: Path) -> None:
    lay_run(runs / os.fsdecode(b"odd \xff"))
    lay_run(runs / "odd %FF")
    assert set(viewer.rows()) == {"/odd%20%FF", "odd %FF"}
    told = viewer.json("/api/run", id="/odd%20%FF")
    assert told["steps"]
    assert viewer.ask("/export", id="/odd%20%FF").status == 200


def test_nothing_is_written_where_the_runs_lie(viewer: Viewer, runs: Path) -> None:
    lay_run(runs / "a", [BRIEF, acted(1, "ls")], status="unscored", exit_reason=None)

    def state() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in (runs, *runs.rglob("*"))}

    before = state()
    for path in ("/api/runs", "/api/run", "/api/steps", "/export", "/api/suites"):
        assert viewer.ask(path, id="a").status == 200
    assert viewer.ask(f"/api/run?id={quote('a')}%00").status == 404
    assert state() == before
