"""A run that is killed and resumed ends as one that nobody disturbed.

`MLGYM_RESUME_KILLS=20` (`make test-resume`) kills at so many random moments instead of three.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlgym.config import RunConfig
from mlgym.errors import ConfigError
from mlgym.runs.kept_env import DiffersError
from mlgym.runs.resuming import make_env_to_resume, resume_episode, unfinished
from mlgym.runs.single import Watch, check, make_env, run_episode
from mlgym.runs.store import CHECKPOINT, RunFolder
from mlgym.tools.notes_file import NotesFile
from mlgym.types import Transition

KILLS = int(os.environ.get("MLGYM_RESUME_KILLS", "3"))

# What is done twice, or forgotten, shows: in files, in the shell, in the editor, in the scores.
SCRIPT: tuple[Any, ...] = (
    {
        "calls": [
            ["bash", {"command": "mkdir d && cd d && export N=3 && f() { echo $((N + $1)); }"}]
        ]
    },
    {"calls": [["bash", {"command": "f 2 >> ../log; cat ../log; sleep 0.05"}]]},
    "No call at all.",
    {"calls": [["bash", {"command": "echo 4 > ../answer.txt; pwd"}], ["validate", {}]]},
    {"calls": [["bash", {"command": "f 4 >> ../log; cat ../log; sleep 0.05"}]]},
    {"calls": [["open", {"path": "/workspace/log"}], ["bash", {"command": "sleep 0.05; pwd"}]]},
    {"text": "Now better.", "calls": [["bash", {"command": "f 5 > ../answer.txt"}]]},
    {"calls": [["validate", {}]]},
    {"calls": [["bash", {"command": "f 6 >> ../log; cat ../log ../answer.txt; sleep 0.05"}]]},
    {"calls": [["edit", {"start": 1, "end": 1, "text": "one\n"}]]},
    {"calls": [["bash", {"command": "cat ../log; echo 2 > ../answer.txt"}], ["validate", {}]]},
    {"calls": [["bash", {"command": "echo 9 > ../answer.txt; cat ../log"}]]},
    {"calls": [["submit", {}]]},
)
Play = Callable[..., RunFolder]


def play(config: RunConfig, watch: Callable[[Transition], None] = lambda _: None) -> RunFolder:
    found = check(config)
    return run_episode(config, found, make_env(config, found), on_transition=watch)[0]


def resume(folder: RunFolder, *, strict: bool = False) -> RunFolder:
    run = unfinished(folder)
    found = check(run.played)
    env = make_env_to_resume(run, found)
    return resume_episode(run, found, env, Watch(), strict=strict)[0]


@pytest.fixture(scope="module")
def config(
    tmp_path_factory: pytest.TempPathFactory, lay_number_task: Callable[[Path], Path]
) -> Callable[..., RunConfig]:
    task = lay_number_task(tmp_path_factory.mktemp("resume"))

    def make(*script: Any) -> RunConfig:
        folder = tmp_path_factory.mktemp("run")
        path = (folder if script else task.parent.parent) / "script.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in script or SCRIPT))
        return RunConfig.make(
            task=str(task), model=f"scripted:{path}", sandbox="bubblewrap", out=folder
        )

    return make


@pytest.fixture(scope="module")
def undisturbed(config: Callable[..., RunConfig]) -> Any:
    """What is told of the script's run where nothing kills it."""
    return told(play(config()))


@pytest.fixture
def killed() -> Play:
    """Plays in a process of its own, which is killed: after a step, or that many seconds later."""

    def run(config: RunConfig, step: int, later_s: float | None = None) -> RunFolder:
        def at(transition: Transition) -> None:
            if transition.step == step and later_s is None:
                os.kill(os.getpid(), signal.SIGKILL)

        before = set(config.out.glob("*"))
        process = multiprocessing.get_context("fork").Process(target=play, args=(config, at))
        process.start()
        if later_s is not None:
            while len(lines(config.out, before)) <= step and process.is_alive():
                time.sleep(0.001)
            time.sleep(later_s)
            process.kill()
        process.join()
        (folder,) = set(config.out.glob("*")) - before
        return RunFolder(folder)

    return run


def lines(out: Path, before: set[Path]) -> list[bytes]:
    new = set(out.glob("*/trajectory.jsonl")) - {path / "trajectory.jsonl" for path in before}
    return b"".join(path.read_bytes() for path in new).splitlines()


def told(folder: RunFolder) -> tuple[dict[str, Any], list[Transition]]:
    """All of a run but its times and its name."""
    record = folder.record()
    for key in ("run_id", "started_at", "duration_s"):
        del record[key]
    del record["config"]["out"]
    return record, [replace(step, time=0.0, duration_s=0.0) for step in folder.transitions()]


def test_a_run_killed_at_any_moment_is_resumed_to_the_same_end(
    config: Callable[..., RunConfig], killed: Play, undisturbed: Any
) -> None:
    asked = config()
    assert undisturbed[0]["score"]["metrics"] == {"value": 8.0}
    assert len(undisturbed[1]) == 16
    chance, resumed = random.Random(KILLS), 0
    for _ in range(KILLS):
        step, later_s = chance.randrange(15), chance.uniform(0.0, 0.08)
        folder = killed(asked, step, later_s)
        if folder.record()["exit_reason"] is None:
            resume(folder)
            resumed += 1
        assert told(folder) == undisturbed, f"killed {later_s} s after step {step}"
        assert not (folder.path / CHECKPOINT).exists()
    assert resumed > KILLS // 2


def test_only_what_came_after_the_checkpoint_is_run_again(
    config: Callable[..., RunConfig], killed: Play
) -> None:
    command = "echo $RANDOM$RANDOM | tee -a log"
    script = [
        {"calls": [["bash", {"command": command}]]},
        {"calls": [["bash", {"command": "echo 4 > answer.txt"}], ["validate", {}]]},
        {"calls": [["bash", {"command": "cat log"}]]},
        {"calls": [["bash", {"command": "cat log; echo seen"}], ["submit", {}]]},
    ]
    folder = killed(config(*script), 4)
    resume(folder, strict=True)
    steps = folder.transitions()
    assert steps[1].observation == steps[4].observation
    assert steps[5].observation == steps[1].observation + "seen\n"
    assert "differences" not in folder.record()


@pytest.mark.parametrize("step", [2, 4], ids=["before a checkpoint", "after one"])
def test_what_a_run_noted_itself_is_noted_once(
    config: Callable[..., RunConfig], killed: Play, tmp_path: Path, step: int
) -> None:
    noted = ["memory_write", {"text": "Seven is too much."}]
    script = [
        {"calls": [noted, ["memory_read", {"query": "seven"}]]},
        {"calls": [["validate", {}], ["memory_write", {"text": "Four is not enough."}]]},
        {"calls": [["memory_read", {"query": ""}], ["submit", {}]]},
    ]
    memory = tmp_path / "memory"
    NotesFile(memory, "number").read()
    NotesFile(memory, "number").add("An older one.")
    asked = config(*script).model_copy(update={"memory": memory})
    folder = resume(killed(asked, step), strict=True)
    assert [line.tool for line in folder.transitions()[1:]].count("memory_write") == 2
    told = folder.transitions()[5].observation
    for text in ("An older one.", "Seven is too much.", "Four is not enough."):
        assert told.count(text) == 1
    assert len(NotesFile(memory, "number").read()) == 3


def test_what_differs_is_recorded_and_stops_only_a_strict_resume(
    config: Callable[..., RunConfig], killed: Play
) -> None:
    folder = killed(config({"calls": [["bash", {"command": "echo $RANDOM$RANDOM"}]]}, *SCRIPT), 1)
    recorded = folder.transitions()[1].observation
    with pytest.raises(DiffersError, match="step 1: observation"):
        resume(folder, strict=True)
    assert folder.record()["exit_reason"] is None
    resume(folder)
    record = folder.record()
    (difference,) = record["differences"]
    assert (difference["step"], difference["recorded"]) == (1, recorded)
    assert folder.transitions()[1].observation == recorded
    assert record["status"] == "scored"


def test_a_broken_checkpoint_costs_time_and_nothing_else(
    config: Callable[..., RunConfig], killed: Play, undisturbed: Any
) -> None:
    folder = killed(config(), 6)
    (checkpoint,) = (folder.path / CHECKPOINT).glob("step-*")
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    for name in ("trajectory.jsonl", "model.jsonl", f"{CHECKPOINT}/replies.jsonl"):
        with (folder.path / name).open("a") as file:
            file.write('{"torn')
    resume(folder)
    assert told(folder) == undisturbed
    for line in (folder.path / "model.jsonl").read_text().splitlines():
        json.loads(line)


def test_an_agent_that_decides_otherwise_is_not_resumed_and_nothing_is_lost(
    config: Callable[..., RunConfig], killed: Play
) -> None:
    folder = killed(config(), 3)
    replies = folder.path / CHECKPOINT / "replies.jsonl"
    record = folder.record()
    first, *rest = replies.read_text().splitlines(keepends=True)
    for changed in (first.replace('"asked": "', '"asked": "0'), first.replace("N=3", "N=4")):
        replies.write_text(changed + "".join(rest))
        with pytest.raises(ConfigError, match="cannot be resumed"):
            resume(folder)
        assert folder.record() == record
        assert len(folder.transitions()) == 4


def test_a_run_that_has_ended_is_not_resumed(config: Callable[..., RunConfig]) -> None:
    folder = play(config({"calls": [["submit", {}]]}))
    with pytest.raises(ConfigError, match="has ended"):
        unfinished(folder)
