"""Where submissions that attack are graded by a real grader, and checked as every row is."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from attacks import host
from attacks.attack import CANARY, Attack
from attacks.hall import expect
from attacks.vault import HONEST, HONEST_CSV, HONEST_PROGRAM, write_game, write_vault

from mlgym.errors import SubmissionError
from mlgym.sandbox.backends import load_backend
from mlgym.sandbox.base import Sandbox
from mlgym.sandbox.images import require_environment
from mlgym.task.data import prepare
from mlgym.task.grading import Grader
from mlgym.task.spec import load_task


@dataclass(frozen=True, slots=True)
class Bench:
    """A grader, and what an honest man hands in to it."""

    grader: Grader
    honest: dict[str, bytes]

    def judged(self, files: Mapping[str, bytes]) -> str:
        """What a grading comes to, in words. Nobody can do better than an honest guess."""
        try:
            metrics = self.grader.grade(files, "test")
        except SubmissionError as error:
            return f"refused: {error}"
        assert metrics["right"] <= HONEST, f"scored {metrics}"
        return f"scored {metrics['right']}"

    def sandboxes(self) -> list[Sandbox]:
        """Those that the grader holds now."""
        held = (self.grader._referee, self.grader._player)
        return [sandbox for sandbox in held if sandbox is not None]


@dataclass(frozen=True, slots=True)
class Court:
    """A bench for predictions, one for programs, and the host around them."""

    predictions: Bench
    programs: Bench
    temporary: Path
    guarded: list[Path]

    def condition(self) -> tuple[object, ...]:
        """All of the host that a submission must leave as it was."""
        return sorted(path.name for path in self.temporary.iterdir()), host.fingerprint(
            self.guarded
        )


@contextmanager
def open_court(backend: str, folder: Path, patch: pytest.MonkeyPatch) -> Generator[Court]:
    """Both benches, warm, below the empty folder `folder`."""
    patch.setenv("OPENAI_API_KEY", CANARY)
    python = require_environment("base") / "bin" / "python"
    folders = [write_vault(folder), write_game(folder)]
    honest = [
        {"submission.csv": HONEST_CSV.encode(), "extra/note.txt": b"guessed\n"},
        {"program.py": HONEST_PROGRAM.encode()},
    ]
    with ExitStack() as held:
        temporary = held.enter_context(host.temporary_files(folder, patch))
        benches: list[Bench] = []
        for task, files in zip(map(load_task, folders), honest, strict=True):
            data = prepare(task, "mini", 0, python)
            grader = held.enter_context(Grader(task, data, load_backend(backend)))
            benches.append(Bench(grader, files))
            assert benches[-1].judged(files) == f"scored {HONEST}"
        yield Court(*benches, temporary=temporary, guarded=folders)


def stand_trial(court: Court, attack: Attack) -> None:
    """Grade a row's files, and check what it wants and what every row wants."""
    bench = court.programs if "program.py" in attack.files else court.predictions
    if not bench.sandboxes():
        bench.judged(bench.honest)
    try:
        _stand_trial(court, bench, attack)
    except BaseException:
        # Whatever it has broken is not to be the next row's fault.
        bench.grader.close()
        raise


def _stand_trial(court: Court, bench: Bench, attack: Attack) -> None:
    before, guests = court.condition(), [host.guest_of(box) for box in bench.sandboxes()]
    said = bench.judged(attack.files)
    assert CANARY not in said
    expect(said, attack.says, attack.never)
    for sandbox, guest in zip(bench.sandboxes(), guests, strict=True):
        assert len(host.family(guest)) == 1, "a process outlived the grading"
        assert host.strays(sandbox) == []
        # Cheaper than to grade an honest submission after each.
        assert sandbox.run("ls -A . /tmp ~ /dev/shm", 10).output.count("\n") == 7
        sandbox.write("/workspace/probe", b"x")
        assert sandbox.run("cat /workspace/probe && rm probe", 10).output == "x"
    assert [host.guest_of(box) for box in bench.sandboxes()] == guests, "a sandbox was lost"
    assert court.condition() == before, "the host is not what it was"
