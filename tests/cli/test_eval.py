"""`mlgym eval`: what is played, what is tried again, what is refused; whole suites, small ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_folders import lay_run
from suites import House, make_house, write_script

from mlgym.runs.reading import read_runs
from mlgym.runs.store import RunFolder

Mlgym = Callable[..., Any]
GOOD = ({"calls": [["bash", {"command": "echo 6 > answer.txt"}], ["submit", {}]]},)
TROUBLE = """\
import os, signal
from pathlib import Path
from mlgym import Decision


class Trouble:
    '''Its process dies at its first second step, its suite is interrupted at the next one.'''

    def __init__(self):
        self.plan = ["echo 5 > answer.txt", "validate", "ls", "submit"]

    def reset(self, brief, tools):
        print("what agents print is no answer of a worker's")

    def act(self, observation):
        if observation.step == 2:
            if not Path("died").exists():
                Path("died").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if not Path("stopped").exists():
                Path("stopped").touch()
                os.kill(os.getppid(), signal.SIGINT)
                signal.pause()
        return Decision(self.plan[observation.step])
"""


@pytest.fixture
def house(
    tmp_path: Path,
    lay_number_task: Callable[[Path], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> House:
    """A folder to work in, with the tasks `number` and `second`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLGYM_PATH", str(tmp_path))
    return make_house(tmp_path, lay_number_task, ["second"])


def test_a_process_that_dies_and_an_interrupt_lose_nothing(mlgym: Mlgym, house: House) -> None:
    (house.folder / "trouble.py").write_text(TROUBLE)
    asked = ("eval", "--tasks", "number", "--agents", "trouble:Trouble", "--out", "s")
    stopped = mlgym(*asked, "--json", "jobs=1", "backoff_s=0")
    assert stopped.code == 1, stopped.err
    assert "`mlgym eval --resume --out s`" in stopped.err
    told = json.loads(stopped.out)
    assert told["counts"] == {"cells": 1, "waiting": 1}
    assert told["failures"] == {"infrastructure": 1}
    ran = mlgym("eval", "--out", "s", "--resume")
    assert ran.code == 0, ran.err
    (run,) = (RunFolder(path.parent) for path in house.folder.glob("s/*/run.json"))
    assert run.record()["exit_reason"] == "submitted"
    assert [step.action for step in run.transitions()[1:]] == [
        *("echo 5 > answer.txt", "validate", "ls", "submit")
    ]
    assert (run.path / "log.txt").read_text().count("resumed:") == 2
    assert "[1/1] number--trouble-" in ran.out
    assert "1 infrastructure; counted apart" in ran.out


def test_what_the_infrastructure_fails_every_time_is_null_and_never_zero(
    mlgym: Mlgym, house: House
) -> None:
    silent = write_script(house.folder / "silent.jsonl", [])
    good = write_script(house.folder / "good.jsonl", GOOD)
    asked = ("eval", "--tasks", "number", "--models", f"{silent},{good}", "--out", "s")
    ran = mlgym(*asked, "backoff_s=0", "--json")
    assert ran.code == 3, ran.err
    told = json.loads(ran.out)
    void, scored = told["cells"]
    assert (void["state"], void["score"], void["reason"]) == ("null", None, "model_error")
    assert void["failed_tries"] == 3
    assert (scored["state"], scored["score"]) == ("scored", pytest.approx(0.5))
    assert told["failures"] == {"infrastructure": 3}
    kept = sorted(path.name for path in house.folder.glob("s/number*"))
    assert kept == [scored["key"], void["key"], f"{void['key']}.lost1", f"{void['key']}.lost2"]
    # They stand in reports, apart, and are nobody's attempt.
    assert [run.is_judged for run in read_runs(Path("s")).runs].count(True) == 1
    rows = json.loads(mlgym("runs", "list", "s", "--json").out)
    assert [row["status"] for row in rows].count("infrastructure_failure") == 3


def test_a_run_without_a_score_and_a_broken_task_are_not_tried_again(
    mlgym: Mlgym, house: House
) -> None:
    for name, answer in (("forfeits", "forfeit"), ("finds", "submit")):
        write_script(
            house.folder / f"{name}.jsonl",
            [{"calls": [["bash", {"command": "echo bug > answer.txt"}], [answer, {}]]}],
        )
    first, second = (f"scripted:{name}.jsonl" for name in ("forfeits", "finds"))
    ran = mlgym("eval", "--tasks", "number", "--models", first, "--out", "s", "--json")
    assert ran.code == 1, ran.err
    assert json.loads(ran.out)["cells"][0]["state"] == "unscored"
    # More of the same is added to what there is.
    ran = mlgym("eval", "--tasks", "number", "--models", f"{first},{second}", "--out", "s")
    assert ran.code == 2, ran.err
    assert "2 cells, 1 done before" in ran.out
    assert not list(house.folder.glob("s/*.lost*"))


def test_a_dry_run_tells_what_is_left_and_starts_nothing(mlgym: Mlgym, house: House) -> None:
    asked = ("eval", "--tasks", "number,second", "--agents", "oracle,react", "--seeds", 2)
    asked = (*asked, "--models", "openai/tester", "--api-base", "http://127.0.0.1:1/v1")
    told = json.loads(mlgym(*asked, "--out", "s", "--dry-run", "--json").out)
    assert not (house.folder / "s").exists()
    assert [cell["state"] for cell in told["cells"]] == ["missing"] * 8
    assert told["left"]["steps"] == {"value": 400.0, "basis": "at most, by the limits"}
    assert told["left"]["cost_usd"] == {"value": None, "basis": "unknown price"}
    limited = (*asked, "--token-limit", 1000, "--price", "1,2", "--out", "s", "--dry-run")
    told = json.loads(mlgym(*limited, "--json").out)
    assert told["left"]["cost_usd"]["value"] == pytest.approx(4 * 1000 * 2e-6)
    # What a kind of cell has taken before is what it will take.
    for agent, usd in (("oracle", 0.0), ("react", 0.25)):
        model = None if agent == "oracle" else "openai/tester"
        fields = {"config": {"task": "number"}, "agent": agent, "model": model, "steps": 4}
        usage = {"calls": 1, "input_tokens": 1, "output_tokens": 1, "cost_usd": usd}
        key = f"number--{agent}--s0" if model is None else f"number--{agent}--openai+tester--s0"
        lay_run(house.folder / "s" / key, usage=usage, **fields)
    shown = mlgym(*asked, "--tasks", "number", "--out", "s", "--dry-run").out
    assert "2 of 4 cells" in shown
    assert "steps         8 (runs that ended)" in shown
    assert "cost          $0.2500 (runs that ended)" in shown


def test_a_suite_of_another_configuration_is_refused_with_what_differs(
    mlgym: Mlgym, house: House
) -> None:
    asked = ("eval", "--tasks", "number", "--agents", "oracle", "--out", "s")
    assert mlgym(*asked, "--seeds", 1).code == 0
    before = (house.folder / "s" / "suite.json").read_bytes()
    ran = mlgym(*asked, "--seeds", "3,4", "--max-steps", 7, "--jobs", 3)
    assert ran.code == 2
    assert "max_steps: None there, 7 now" in ran.err
    assert "seeds: [0] there, [3, 4] now" in ran.err
    assert "jobs: " not in ran.err
    task = house.folder / "tasks" / "number" / "README.md"
    task.write_text("changed")
    ran = mlgym(*asked)
    assert ran.code == 2
    assert "the files of task number: 'sha256 " in ran.err
    task.unlink()
    assert (house.folder / "s" / "suite.json").read_bytes() == before
    assert mlgym(*asked, "--jobs", 5, "--rpm", 60).code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--tasks: found nothing"),
        (("--resume", "--out", "none", "--tasks", "number"), "--resume: found no suite in none"),
        (("--tasks", "number"), "models: found none, expected: at least one"),
        (("--tasks", "number", "--agents", "human"), "played by hand"),
        (("--tasks", "number", "--agents", "oracle", "--seeds", "x"), "--seeds: found 'x'"),
        (("--tasks", "number", "--agents", "oracle", "--jobs", "0"), "--jobs: found 0"),
        (("--tasks", "number,number", "--agents", "oracle"), "each name once in tasks"),
        (("--tasks", "numer", "--agents", "oracle"), "Did you mean number"),
        (("s.yaml",), "s.yaml: line 2, sedes: found an unknown field, expected: seeds?"),
        (("s.yaml", "max_steps=0"), "max_steps=0: max_steps: found 0"),
        (("s.yaml", "tasks.x=1"), "tasks.x=1: found no mapping at tasks"),
        (("s.yaml", "t.yaml"), "found two files"),
        (("none.yaml",), "none.yaml: there is no such file"),
    ],
)
def test_a_mistake_names_where_it_was_made(
    mlgym: Mlgym, house: House, words: tuple[str, ...], told: str
) -> None:
    (house.folder / "s.yaml").write_text("tasks: number\nsedes: 3\n")
    ran = mlgym("eval", *words)
    assert ran.code == 2
    assert told in ran.err
    assert not (house.folder / "runs").exists()
