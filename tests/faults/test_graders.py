"""Graders and data scripts with every bug an author can write: a `TaskError`, never a score."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from breakage import (
    a_sentence,
    assert_grades,
    assert_recorded_as_void,
    assert_void,
    begin,
    edit,
    own_temporary_folder,
    play,
)

from mlgym.env import MLGymEnv
from mlgym.errors import TaskError

Warm = Callable[[str, str], MLGymEnv]

GRADER = """\
import math, os, struct, sys, threading, time
from mlgym_kit import SubmissionError


def write_frame(text):
    for fd in range(3, 20):
        try:
            os.write(fd, struct.pack(">II", len(text), 0) + text)
        except OSError:
            pass


class Mine(SubmissionError):
    pass


class Worse(SubmissionError):
    def __str__(self):
        raise KeyError("no text")


def grade(submission, answers, split, rng):
    value = float((submission / "answer.txt").read_text())
    {body}
    return {{"value": value}}
"""

BUGS = {
    "raises": ("raise KeyError('oops')", "oops"),
    "raises what is no Exception": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "exits": ("sys.exit(0)", "SystemExit"),
    "ends at once": ("os._exit(0)", "it ended (status 0)"),
    "ends at once with a failure": ("os._exit(3)", "it ended (status 3)"),
    "aborts": ("os.abort()", "status 134"),
    "hangs": ("time.sleep(60)", "did not answer within 3 s"),
    "spins": ("while True: pass", "did not answer within 3 s"),
    "takes all memory": ("x = bytearray(1 << 40)", "MemoryError"),
    "recurses without end": ("(f := lambda: f())()", "RecursionError"),
    "fills the disk": (
        "os.posix_fallocate(os.open('/tmp/x', os.O_CREAT | os.O_WRONLY), 0, 2 << 40)",
        "No space left",
    ),
    "forks without end": ("while True: os.fork()", ("Resource temporarily", "did not answer")),
    "has a child that fails in its place": ("os.fork() or 1 / 0; os.wait()", "ZeroDivisionError"),
    "kills what it can": ("os.kill(-1, 9); return", "NoneType"),
    "closes its descriptors": ("os.closerange(3, 100)", "Bad file descriptor"),
    "writes junk between the frames": ("write_frame(b'junk')", "the grader failed"),
    "sends a frame of a list": ("write_frame(b'[]')", "no message"),
    "sends a frame of a number": ("write_frame(b'5')", "no message"),
    "sends metrics that are text": ('write_frame(b\'{"metrics": {"value": "x"}}\')', "convert"),
    "asks a player that is not there": ('write_frame(b\'{"player": "call"}\')', "no metrics"),
    "raises an error without a text": ("raise Worse()", "no text"),
    "returns nothing": ("return", "NoneType"),
    "returns a list": ("return [value]", "TypeError"),
    "returns text": ("return {'value': 'high'}", "could not convert"),
    "returns a list for a number": ("return {'value': [value]}", "TypeError"),
    "returns a complex number": ("return {'value': 1j}", "TypeError"),
    "returns a number past all floats": ("return {'value': 10 ** 400}", "OverflowError"),
    "returns no metric": ("return {}", "declares ['value']"),
    "returns another metric": ("return {'other': 1.0}", "declares ['value']"),
    "returns one metric too many": ("return {'value': 1.0, 'other': 1.0}", "declares ['value']"),
    "returns a million metrics": (
        "return {str(i) * 9: 1.0 for i in range(10**6)}",
        ("too many for one message", "did not answer"),
    ),
}
WHOLE = {
    "is no Python": ("def grade(:\n", "SyntaxError"),
    "crashes when it is loaded": ("1 / 0\n", "ZeroDivisionError"),
    "exits when it is loaded": ("import os\nos._exit(0)\n", "it ended"),
    "has no grade()": ("x = 1\n", "no attribute 'grade'"),
    "takes other arguments": ("def grade(submission): ...\n", "TypeError"),
}
SCRIPTS = {name: (GRADER.format(body=body), words) for name, (body, words) in BUGS.items()} | WHOLE
REFUSALS = {
    "nothing finite": ("return {'value': math.nan}", "which is no finite number"),
    "infinity": ("return {'value': -math.inf}", "which is no finite number"),
    "a refusal of its own": ("raise Mine('not like this')", "not like this"),
    "an empty refusal": ("raise SubmissionError()", "cannot be graded"),
    "half a character": (r"raise SubmissionError('\udcff')", r"\udcff"),
    "a long refusal": ("raise SubmissionError('x' * (1 << 25))", "xxx"),
}
HARMLESS = {
    "prints a gigabyte": "for _ in range(1024): os.write(1, bytes(1 << 20))",
    "complains a gigabyte": "for _ in range(1024): os.write(2, bytes(1 << 20))",
    "leaves a child": "os.fork() or time.sleep(1000)",
    "leaves a child of its own session": "os.fork() or (os.setsid(), time.sleep(1000))",
    "leaves a thread": "threading.Thread(target=time.sleep, args=(1000,)).start()",
    "returns twice": "os.fork()",
}


ON_DOCKER_TOO = {
    "ends at once",
    "hangs",
    "takes all memory",
    "fills the disk",
    "kills what it can",
    "nothing finite",
    "prints a gigabyte",
    "leaves a child of its own session",
}
"""What depends on the sandbox; the rest is the kit's to tell, which is the same in each."""


def cases(names: Iterable[str]) -> list[Any]:
    """Each name on bubblewrap, and some on docker."""
    on_docker = [pytest.param("docker", name, marks=pytest.mark.docker) for name in names]
    return [
        *(("bubblewrap", name) for name in names),
        *(case for case in on_docker if case.values[1] in ON_DOCKER_TOO),
    ]


@pytest.fixture(scope="module")
def nothing_stays(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Once for all: the environments of this module are warm."""
    on_docker = any(
        item.get_closest_marker("docker") and not item.get_closest_marker("skip")
        for item in request.session.items
    )
    yield from own_temporary_folder(tmp_path_factory.mktemp("own"), docker_too=on_docker)


@pytest.fixture(scope="module")
def warm(
    nothing_stays: Path,
    tmp_path_factory: pytest.TempPathFactory,
    lay_number_task: Callable[[Path], Path],
) -> Iterator[Warm]:
    """An environment of the backend, begun, whose grader is the given text."""
    with ExitStack() as opened:
        envs: dict[str, MLGymEnv] = {}

        def get(backend: str, grader: str) -> MLGymEnv:
            if backend not in envs:
                task = lay_number_task(tmp_path_factory.mktemp(backend))
                edit(task / "task.yaml", "timeout_s: 20", "timeout_s: 3")
                envs[backend] = opened.enter_context(closing(MLGymEnv(task, sandbox=backend)))
            env = envs[backend]
            (env.task.folder / "grader" / "grade.py").write_text(grader)
            begin(env)
            return env

        yield get


@pytest.mark.parametrize(("backend", "name"), cases(SCRIPTS))
def test_a_grader_is_a_task_error_that(warm: Warm, backend: str, name: str) -> None:
    text, words = SCRIPTS[name]
    env = warm(backend, text)
    told = assert_void(env, "submit", TaskError)
    assert told.startswith("number: ")
    assert any(word in told for word in ((words,) if isinstance(words, str) else words)), told


@pytest.mark.parametrize(("backend", "name"), cases(REFUSALS))
def test_a_grader_refuses_the_submission_with(warm: Warm, backend: str, name: str) -> None:
    body, words = REFUSALS[name]
    env = warm(backend, GRADER.format(body=body))
    observation, reward, terminated, _, info = env.step("validate")
    assert words in observation
    assert (reward, terminated, "metrics" in info) == (0.0, False, False)
    assert len(observation) < 10_000
    assert env.step("submit")[2]
    assert (env.status, env.score) == ("unscored", None)


@pytest.mark.parametrize(("backend", "name"), cases(HARMLESS))
def test_a_grading_is_not_disturbed_by_a_grader_that(
    number_task: Path, backend: str, name: str
) -> None:
    edit(number_task / "task.yaml", "timeout_s: 20", "timeout_s: 60")
    (number_task / "grader" / "grade.py").write_text(GRADER.format(body=HARMLESS[name]))
    with MLGymEnv(number_task, sandbox=backend) as env:
        for _ in range(2):
            assert_grades(env)


PLAYERS = {
    "a limit that is none": ("player.load('answer.py', 1, timeout_s=None)", "NoneType"),
    "a limit that is text": ("player.load('answer.py', 1, timeout_s='soon')", "could not convert"),
    "a limit below zero": ("player.load('answer.py', 1, timeout_s=-1)", "expected seconds"),
    "a limit that is no number": ("player.load('answer.py', 1, timeout_s=nan)", "expected seconds"),
    "a seed that is text": ("player.load('answer.py', 'x')", "integer"),
    "nothing loaded": ("player.call('value')", "load()"),
    "an object": ("player.load('answer.py', 1); player.call('value', object())", "serializable"),
}


@pytest.mark.parametrize("name", PLAYERS)
def test_a_referee_that_asks_its_player_wrongly_is_a_task_error_with(
    number_task: Path, name: str
) -> None:
    line, words = PLAYERS[name]
    spec = number_task / "task.yaml"
    edit(spec, "predictions, paths: [answer.txt]", "program, paths: [answer.py]")
    (number_task / "workspace" / "answer.py").write_text("def value(x=5):\n    return x\n")
    body = f"nan = float('nan')\ndef grade(player, answers, split, rng):\n    {line}\n"
    (number_task / "grader" / "grade.py").write_text(body)
    with MLGymEnv(number_task, sandbox="bubblewrap") as env:
        env.reset()
        assert words in assert_void(env, "validate", TaskError)


def test_a_run_whose_grader_fails_is_recorded_as_the_infrastructure_s(
    quick_task: Path, backend: str, tmp_path: Path
) -> None:
    grader = GRADER.format(body="if split == 'test': raise KeyError('oops')")
    (quick_task / "grader" / "grade.py").write_text(grader)
    played = play(
        quick_task, backend, tmp_path / "runs", ["echo 5 > answer.txt", "validate", "submit"]
    )
    assert_recorded_as_void(played, "task_error", 3)
    assert "oops" in played.transitions[-1].observation


DATA = """\
import os, sys, time


def prepare(profile, data_seed, public, private):
    (public / "half").write_text("done")
    {body}
"""
DATA_BUGS = {
    "crashes": ("1 / 0", "ZeroDivisionError"),
    "exits": ("sys.exit('no data today')", "no data today"),
    "ends at once": ("os._exit(3)", "exit code 3"),
    "kills itself": ("os.kill(os.getpid(), 9)", "exit code -9"),
    "writes where it may not": ("(private / 'salt').write_text('x')", "salt"),
}


@pytest.mark.parametrize("name", DATA_BUGS)
def test_a_data_script_is_a_task_error_that(number_task: Path, backend: str, name: str) -> None:
    body, words = DATA_BUGS[name]
    edit(number_task / "task.yaml", "image: base\n", "image: base\ndata: data.py\n")
    script = number_task / "data.py"
    script.write_text(DATA.format(body=body))
    with MLGymEnv(number_task, sandbox=backend) as env:
        with pytest.raises(TaskError) as raised:
            env.reset()
        assert words in a_sentence(raised.value)
        assert not env.started


def test_a_run_whose_data_script_fails_is_recorded_as_the_infrastructure_s(
    quick_task: Path, tmp_path: Path
) -> None:
    edit(quick_task / "task.yaml", "image: base\n", "image: base\ndata: data.py\n")
    (quick_task / "data.py").write_text(DATA.format(body="1 / 0"))
    played = play(quick_task, "bubblewrap", tmp_path / "runs", ["ls"])
    record = played.record
    assert (record["status"], record["exit_reason"]) == ("infrastructure_failure", "task_error")
    assert (record["score"], record["steps"], played.transitions) == (None, 0, [])
