"""Bad programs and models: they crash, hang, flood, end, lie, look around, take all memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from mlgym.task.check.bad_predictions import Bad, bad_bytes
from mlgym.task.check.intruder import MARK
from mlgym.task.spec import Task
from mlgym.task.submission import Files

_HERE = Path(__file__).parent
HANG_S = 20.0
MEMORY_GB = 2.0
_FILES = 2  # files beside the program that are spoiled one by one

_IMPORTED = {
    "crashes when it is loaded": "raise RuntimeError('on purpose')\n",
    "ends when it is loaded": "import os\n\nos._exit(0)\n",
    "exits when it is loaded": "raise SystemExit(0)\n",
    "is no Python": "def (:\n",
    "has none of its functions": "nothing = None\n",
    "writes into every pipe": (
        "import os\n\nfor fd in range(64):\n    try:\n        os.write(fd, b'\\0\\0\\0\\2' * 64)\n"
        "    except OSError:\n        pass\n"
    ),
}
_SPOILED = {
    "crashes when it is called": "crash",
    "ends when it is called": "exit",
    "floods its output": "flood",
    "answers None": "none",
    "answers text": "text",
    "answers NaN": "nan",
    "answers infinities": "infinity",
    "answers other numbers": "number",
    "answers in another shape": "shape",
    "answers with an object": "object",
    "answers with far too much": "huge",
    "answers in a hundred thousand brackets": "deep",
}
_FEW = {"crashes when it is loaded", "looks for answers and a network", "random bytes"}
_FEW_CALLED = {"ends when it is called", "answers None", "answers NaN", "answers in another shape"}
"""What is tried where there is little time: one of each kind. Without its weights a model is not
called."""
_MEMORY = "held = []\nwhile True:\n    held.append(bytearray(b'x') * (64 << 20))\n"


@dataclass(frozen=True, slots=True)
class Narrow:
    """A bad program that is graded within narrower limits, so that it ends sooner."""

    bad: Bad
    timeout_s: float | None = None
    memory_gb: float | None = None

    def task(self, task: Task) -> Task:
        """The task with these limits, where they are below its own."""
        spec = task.spec
        seconds = min(self.timeout_s or spec.grader.timeout_s, spec.grader.timeout_s)
        memory = min(self.memory_gb or spec.resources.memory_gb, spec.resources.memory_gb)
        changes = {
            "grader": spec.grader.model_copy(update={"timeout_s": seconds}),
            "resources": spec.resources.model_copy(update={"memory_gb": memory}),
        }
        return replace(task, spec=spec.model_copy(update=changes))


def main_file(paths: Iterator[str] | Files) -> str | None:
    """The first Python file of a submission: what a grader loads."""
    return next((path for path in paths if path.endswith(".py")), None)


def few_programs(task: Task, valid: Files | None) -> Iterator[Bad]:
    """One of each kind of bad program."""
    wanted = _FEW if task.spec.submission.kind == "model" else _FEW | _FEW_CALLED
    for bad in bad_programs(task, valid):
        if bad.name.rpartition(": ")[2] in wanted:
            yield bad


def bad_programs(task: Task, valid: Files | None) -> Iterator[Bad]:
    """Every bad program that the task's own limits bound.

    Those that answer are made from `valid`; without it there are only those that need no answer.
    """
    declared = main_file(iter(task.spec.submission.paths))
    main = declared or main_file(valid or {})
    if main is None:
        return
    others = valid or {path: b"" for path in task.spec.submission.paths if not path.endswith("/")}
    for name, program in _IMPORTED.items():
        yield Bad(name, {**others, main: program.encode()})
    for name, content in bad_bytes(others[main]):
        yield Bad(f"{main}: {name}", {**others, main: content})
    yield Bad("looks for answers and a network", {**others, main: _intruder("intrude()\n")})
    if valid is None:
        return
    for name, how in _SPOILED.items():
        yield Bad(name, {**valid, main: _spoiled(valid[main], how)})
    for path in [path for path in sorted(valid) if path != main][:_FILES]:
        for name, content in bad_bytes(valid[path]):
            yield Bad(f"{path}: {name}", {**valid, path: content})


def narrow_programs(task: Task, valid: Files | None) -> Iterator[Narrow]:
    """Those that would take their time, or all of the machine's memory."""
    main = main_file(iter(task.spec.submission.paths)) or main_file(valid or {})
    if main is None:
        return
    others = valid or {}
    memory = Bad("takes all memory", {**others, main: _MEMORY.encode()})
    yield Narrow(memory, memory_gb=MEMORY_GB)
    sleeping = Bad("hangs when it is loaded", {**others, main: b"import time\ntime.sleep(10**6)\n"})
    if valid is None:
        yield Narrow(sleeping, timeout_s=HANG_S)
    else:
        hanging = Bad("hangs when it is called", {**valid, main: _spoiled(valid[main], "hang")})
        yield Narrow(hanging, timeout_s=HANG_S)


def found_something(message: str) -> bool:
    """Whether the refusal of a program tells that it found what it looked for."""
    return MARK in message


def _spoiled(program: bytes, how: str) -> bytes:
    spoiler = (_HERE / "spoiler.py").read_bytes()
    return program + b"\n\n" + spoiler + f"\n\nmlgym_spoil(globals(), {how!r})\n".encode()


def _intruder(call: str) -> bytes:
    return (_HERE / "intruder.py").read_bytes() + f"\n\n{call}".encode()
