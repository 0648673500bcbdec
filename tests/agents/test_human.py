"""A person's episode: typed in a real terminal, and from a pipe; recorded like any other."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlgym.agent_loader import find_agent, make_agent
from mlgym.config import RunConfig
from mlgym.errors import ConfigError
from mlgym.plugin import load_class
from mlgym.runs.single import make_env
from mlgym.runs.store import RunFolder
from mlgym.trajectory import replay
from mlgym.types import Transition

COMMAND = [sys.executable, "-m", "mlgym", "run", "--agent", "human", "--sandbox", "bubblewrap"]
GAME = ["--task", "battle_of_sexes", "--data", "mini"]
ESCAPED_ENTER, CTRL_C, CTRL_D, CTRL_R = "\x1b\r", "\x03", "\x04", "\x12"
_DRAWN = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")


def only_run(out: Path) -> RunFolder:
    (found,) = out.iterdir()
    return RunFolder(found)


class Person:
    """Sits at a terminal of its own. `says` types and waits for what is to appear after that."""

    def __init__(self, command: list[str], stdout: int | None = None) -> None:
        self.terminal, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 150, 0, 0))
        # It does not answer where its cursor is.
        told = {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
        self.process = subprocess.Popen(
            command,
            stdin=inside,
            stdout=inside if stdout is None else stdout,
            stderr=inside,
            env={**os.environ, **told},
            start_new_session=True,
        )
        os.close(inside)
        self.seen = b""

    def says(self, typed: str, wanted: str) -> str:
        os.write(self.terminal, typed.encode())
        return self.waits_for(wanted)

    def waits_for(self, wanted: str) -> str:
        began, shown = time.monotonic(), _DRAWN.sub(b"", self.seen)
        while wanted.encode() not in shown:
            if time.monotonic() - began > 120 or not self._read():
                raise AssertionError(f"no {wanted!r} in {shown.decode(errors='replace')}")
            shown = _DRAWN.sub(b"", self.seen)
        self.seen = shown.partition(wanted.encode())[2]
        return shown.decode(errors="replace")

    def is_calm(self) -> bool:
        """Whether the terminal shows what is typed and makes lines of it, as a shell needs it."""
        wanted = termios.ECHO | termios.ICANON
        return termios.tcgetattr(self.terminal)[3] & wanted == wanted

    def leaves(self) -> int:
        while self._read():
            pass
        return self.process.wait(60)

    def _read(self) -> bool:
        if not select.select([self.terminal], [], [], 20)[0]:
            return False
        try:
            found = os.read(self.terminal, 1 << 16)
        except OSError:  # the other side is closed
            return False
        self.seen += found
        return bool(found)


@pytest.fixture
def sit_down(tmp_path: Path) -> Iterator[Callable[..., Person]]:
    people: list[Person] = []

    def sit(*options: str, **places: int) -> Person:
        command = [*COMMAND, "--out", str(tmp_path / "runs"), *options]
        people.append(Person(command, **places))
        return people[-1]

    yield sit
    for person in people:
        person.process.kill()
        person.process.wait()
        os.close(person.terminal)


def test_a_person_completes_edits_cancels_and_hands_in(
    sit_down: Callable[..., Person], tmp_path: Path
) -> None:
    person = sit_down(*GAME)
    person.waits_for("Tools: open, goto")
    person.waits_for("50 steps and 120.0 minutes left; payoff (maximize): baseline 1.0227")
    person.waits_for("action>")
    person.says("ls\r", "49 steps")
    # A path that the listing named, a tool, an edit of several lines with a quotation left open.
    person.says("open str\t\r", "/workspace/strategy.py: 18 lines")
    person.waits_for("48 steps")
    person.says('edit 1:1\r"""Mine: it\'s\r', "| ")
    person.says('several lines."""\rend_of_edit\r', "replaced by 2")
    person.waits_for("47 steps")
    person.says("rm strategy.py", "rm strategy.py")
    person.says(CTRL_C, "action>")
    person.says("for i in 1 2; do" + ESCAPED_ENTER + "echo $i$i; done\r", "11\r\n22\r\n")
    person.waits_for("46 steps")
    person.says("val\t\r", "best validation payoff so far")
    person.waits_for("45 steps")
    person.waits_for("action>")
    person.says(CTRL_D, "[q]uit? Enter goes on:")
    person.says("\r", "action>")
    person.says("printf '\\033[2J'\r", "\\x1b[2J")
    person.waits_for("44 steps")
    person.waits_for("action>")
    person.says(CTRL_D, "[q]uit? Enter goes on:")
    person.says("s\r", "submitted after 7 steps")
    assert person.leaves() == 0

    folder = only_run(tmp_path / "runs")
    recorded = folder.transitions()
    assert [step.action for step in recorded] == [
        None,
        "ls",
        "open strategy.py",
        'edit 1:1\n"""Mine: it\'s\nseveral lines."""\nend_of_edit',
        "for i in 1 2; do\necho $i$i; done",
        "validate",
        "printf '\\033[2J'",
        "submit",
    ]
    check_replay(folder, recorded)


def check_replay(folder: RunFolder, recorded: list[Transition]) -> None:
    record = folder.record()
    assert (record["status"], record["agent"], record["model"]) == ("scored", "human", None)
    assert record["score"]["source"] == "submitted"
    config = RunConfig.make(**record["config"])
    with make_env(config, find_agent("human")) as env:
        again = list(replay(env, recorded, config.seed))
    assert len(again) == len(recorded)
    assert [difference for _, found in again for difference in found] == []


def test_earlier_actions_come_back_and_a_kill_ends_the_run_by_the_rule(
    sit_down: Callable[..., Person], number_task: Path, tmp_path: Path
) -> None:
    number = ("--task", str(number_task))
    unique = str(time.time_ns())
    word = f"echo {unique} > answer.txt"
    # With --json the terminal has the prompts, and standard output the record alone.
    with (tmp_path / "out.json").open("wb") as out:
        person = sit_down(*number, "--json", stdout=out.fileno())
    person.waits_for("action>")
    person.says(word + "\r", "49 steps")
    person.waits_for("action>")
    person.says(CTRL_D, "goes on:")
    person.says(CTRL_D, "interrupted after 1 step")
    assert person.leaves() == 1
    assert json.loads((tmp_path / "out.json").read_text())["exit_reason"] == "interrupted"
    history = Path(os.environ["MLGYM_HOME"]) / f"human-{os.getuid()}.history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600

    person = sit_down(*number)
    person.waits_for("action>")
    person.says(CTRL_R + unique, word)
    person.says("\r\r", "49 steps")
    person.waits_for("action>")
    assert not person.is_calm()
    # Until it waits: an exception that falls into a finalizer is lost.
    time.sleep(0.5)
    os.kill(person.process.pid, signal.SIGTERM)
    person.waits_for("interrupted after 1 step")
    assert person.is_calm()
    assert person.leaves() == 1
    first, second = sorted((tmp_path / "runs").iterdir())
    for folder in (RunFolder(first), RunFolder(second)):
        assert folder.record()["exit_reason"] == "interrupted"
        assert folder.record()["score"]["source"] == "last_workspace"
        assert folder.transitions()[1].action == word


PIPED = """\
ls

cat > notes.txt <<'END'
it's not an action:
submit
END
create empty.py
create answer.txt
<<TEXT
7
TEXT
validate
"""


def from_pipe(task: Path, out: Path, typed: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "--task", str(task), "--out", str(out), *more]
    return subprocess.run(
        command, input=typed, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_pipe_of_actions_is_played_and_its_end_ends_the_run(
    number_task: Path, tmp_path: Path
) -> None:
    ran = from_pipe(number_task, tmp_path / "runs", PIPED, "--json")
    assert ran.returncode == 1, ran.stderr
    record = json.loads(ran.stdout)
    assert (record["exit_reason"], record["steps"]) == ("interrupted", 5)
    assert (record["score"]["source"], record["score"]["metrics"]) == (
        "best_validated",
        {"value": 6.0},
    )
    tools = [step.tool for step in only_run(tmp_path / "runs").transitions()]
    assert tools == ["reset", "bash", "bash", "create", "create", "validate", "finish"]
    assert "best 7; reward" in ran.stderr


@pytest.mark.parametrize("nothing", [None, io.StringIO("")])
def test_without_a_terminal_or_an_action_it_refuses(
    monkeypatch: pytest.MonkeyPatch, nothing: io.StringIO | None
) -> None:
    monkeypatch.setattr(sys, "stdin", nothing)
    with pytest.raises(ConfigError, match="no terminal and holds no action"):
        make_agent(find_agent("human"))


@pytest.mark.parametrize(
    ("action", "observation", "typed", "offered"),
    [
        ("", "", "s", ["scroll_up", "submit"]),
        ("ls", "README.md\nsub\nrun.sh\n", "cat s", ["sub"]),
        ("ls -l", "total 4\n-rw-r--r-- 1 a a 5 Jan 1 00:00 score\n", "cat s", ["score"]),
        ("ls -a sub/", ".\n..\ntrain\n", "cd sub/", ["sub/.", "sub/..", "sub/train"]),
        ("ls sub/a.txt", "sub/a.txt\n", "cat s", ["sub/a.txt"]),
        (
            "python x.py",
            "wrote out/model_1.npz, loss 0.25 after 3.5 s.\n",
            "ls o",
            ["out/model_1.npz"],
        ),
        ("create new/part.py", "", "python n", ["new/part.py"]),
        ("validate", "r2: 0.948 on e.g. this\n", "cat 0", []),
        ("ls", "strategy.py\n", "edit 1:1\nopen('s", ["strategy.py"]),
        ("ls", "submit.py\n", "s", ["scroll_up", "submit", "submit.py"]),
    ],
)
def test_tab_offers_tools_and_the_paths_that_were_named(action, observation, typed, offered):
    from prompt_toolkit.document import Document

    names = load_class("human", "agent.py:Names", find_agent("human").folder)(100)
    names.tools = ["scroll_up", "submit"]
    names.learn(action, observation)
    found = [each.text for each in names.get_completions(Document(typed), None)]
    assert found == offered
    names.learn("", " ".join(f"{number}.py" for number in range(200)))
    assert len(names.paths) == 100
