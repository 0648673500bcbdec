"""Grades submissions in a sandbox of its own, where alone the answers exist.

A predictions submission is parsed there as data. A program or a model runs in a third sandbox, the
player's, without answers or grader in sight; referee and player exchange frames that the host
relays (`mlgym.task.player`). Scores come back as a frame of the referee's, on a channel that no
untrusted code holds. Sandboxes are kept warm between gradings and reset in place.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from mlgym.catalog import home
from mlgym.errors import SandboxError, SubmissionError, TaskError
from mlgym.sandbox.base import Backend, Sandbox, SandboxSpec
from mlgym.sandbox.laid import laid_folder
from mlgym.sandbox.scratch import scratch
from mlgym.sandbox.waiting import locked
from mlgym.task.data import Prepared
from mlgym.task.frames import FrameError, FrameLink, FrameTimeoutError
from mlgym.task.player import PlayerRelay
from mlgym.task.spec import Task
from mlgym.task.submission import Files, printable
from mlgym.types import Split

ANSWERS_INSIDE = "/answers"
GRADER_INSIDE = "/grader"
KIT_INSIDE = "/opt/mlgym/kit"
_ALIVE_S, _READY_S = 15.0, 60.0
KIT_FILES = ("kit.py", "kit_csv.py", "kit_player.py", "kit_referee.py")


@dataclass(frozen=True, slots=True)
class Sides:
    """Who takes part in a grading: sandboxes, and the links to the kit's process in each."""

    referee: Sandbox
    link: FrameLink
    player: Sandbox | None
    players_link: FrameLink | None


class Grader:
    """Grades one task's submissions on one preparation of its data, one at a time.

    A context manager; sandboxes are started when the first submission is graded.
    """

    def __init__(self, task: Task, prepared: Prepared, backend: Backend) -> None:
        self._task = task
        self._prepared = prepared
        self._backend = backend
        self._held = ExitStack()
        self._referee: Sandbox | None = None
        self._player: Sandbox | None = None

    def grade(self, files: Files, split: Split) -> dict[str, float]:
        """The metrics of a submission.

        Raises:
            SubmissionError: it cannot be graded; the message is for the agent.
            TaskError: the grader failed, ran past its time, or gave no sound metrics.
            SandboxError: the infrastructure failed.
        """
        try:
            with _alone() if self._task.spec.grader.timed else nullcontext():
                outcome = self._run(self._begun(files, split), files)
        except OSError as error:
            self.close()
            raise SandboxError(f"the grading sandbox cannot be had: {error}") from error
        except BaseException:
            # Also where it is interrupted: what half a grading left is not worth keeping.
            self.close()
            raise
        self._clear()
        return self._metrics(outcome)

    def close(self) -> None:
        """Release the sandboxes. Idempotent."""
        self._referee = self._player = None
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _begun(self, files: Files, split: Split) -> Sides:
        """The submission laid, the referee at work, the player waiting to be asked.

        Warm sandboxes that were lost are replaced.
        """
        warm = self._referee is not None
        try:
            return self._begin(files, split)
        except SandboxError:
            if not warm:
                raise
            # Nothing of this submission has run in them: no fault of anybody's to be told of.
            self.close()
            return self._begin(files, split)

    def _begin(self, files: Files, split: Split) -> Sides:
        if self._referee is None:
            self._referee = self._start("referee", self._answer_mounts())
        if self._task.spec.submission.kind != "predictions" and self._player is None:
            self._player = self._start("player", ())
        referee, player = self._referee, self._player
        link = FrameLink(referee.open(_command("referee")))
        other = None if player is None else FrameLink(player.open(_command("player")))
        _await_ready(link)
        if player is None:
            _lay(referee, files)
        link.send(self._order(split))
        if player is not None and other is not None:
            _await_ready(other)
            _lay(player, files)
        return Sides(referee, link, player, other)

    def _clear(self) -> None:
        """What a submission left or left running has no part in what comes next."""
        try:
            for sandbox in (self._referee, self._player):
                if sandbox is not None:
                    sandbox.reset()
        except SandboxError:
            # The score is there already; the next grading starts new sandboxes.
            self.close()

    def _answer_mounts(self) -> tuple[tuple[Path, str], ...]:
        grader = (self._task.folder / self._task.spec.grader.script).parent
        return (self._prepared.private, ANSWERS_INSIDE), (grader, GRADER_INSIDE)

    def _start(self, role: str, mounts: tuple[tuple[Path, str], ...]) -> Sandbox:
        empty = self._held.enter_context(scratch("empty"))
        spec = self._task.spec
        sandbox = self._backend(
            SandboxSpec(
                image=spec.image,
                workspace=Path(empty),
                mounts=((kit_folder(), KIT_INSIDE), *mounts),
                limits=spec.limits(),
                network=False,
                label=f"{spec.id}-{role}",
            )
        )
        return self._held.enter_context(sandbox)

    def _run(self, sides: Sides, files: Files) -> dict[str, Any]:
        """Let the referee work until its outcome, relaying what it asks of the player.

        `timeout_s` is what the referee's own work may take, and again all the player's answers.
        """
        seconds = self._task.spec.grader.timeout_s
        link, player, relay = sides.link, sides.player, None
        if player is not None and sides.players_link is not None:
            relay = PlayerRelay(sides.players_link, lambda: _fresh(player, files), seconds)
        left = seconds
        while True:
            began = time.monotonic()
            try:
                header, body = link.receive(max(0.0, left))
                message = _message(header)
            except FrameTimeoutError:
                _check_alive(sides.referee)
                raise self._failed(f"it did not answer within {seconds:g} s") from None
            except (FrameError, ValueError, TypeError) as error:
                raise self._failed(str(error)) from None
            left -= time.monotonic() - began
            if "player" not in message or relay is None or player is None:
                return message
            answer = relay.ask(message, body)
            if relay.timed_out:
                # Its fault only where the sandbox around it still works.
                _check_alive(player)
            link.send(*answer)

    def _failed(self, reason: str) -> TaskError:
        return TaskError(f"{self._task.spec.id}: the grader failed: {reason}")

    def _order(self, split: Split) -> dict[str, Any]:
        spec = self._task.spec
        data = self._prepared
        return {
            "script": f"{GRADER_INSIDE}/{Path(spec.grader.script).name}",
            "answers": ANSWERS_INSIDE,
            "kind": spec.submission.kind,
            "split": split,
            "seed": f"{spec.id}/{spec.version}/{data.profile}/{data.data_seed}/{split}",
        }

    def _metrics(self, outcome: dict[str, Any]) -> dict[str, float]:
        spec = self._task.spec
        if "submission_error" in outcome:
            raise SubmissionError(printable(str(outcome["submission_error"])))
        if "metrics" not in outcome:
            words = outcome.get("task_error", "it gave no metrics")
            raise TaskError(f"{spec.id}: {spec.grader.script} failed:\n{words}")
        metrics: dict[str, float] = outcome["metrics"]
        known = {metric.name for metric in spec.metrics}
        if spec.primary.name not in metrics or set(metrics) - known:
            raise TaskError(
                f"{spec.id}: {spec.grader.script} returned the metrics {sorted(metrics)},"
                f" task.yaml declares {sorted(known)}"
            )
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise SubmissionError(f"its {name} is {value}, which is no finite number")
        return metrics


def kit_folder() -> Path:
    """The kit under the names by which graders import it, in `$MLGYM_HOME`."""
    source = Path(__file__).parent
    contents = {f"mlgym_{file}": (source / file).read_bytes() for file in KIT_FILES}
    return laid_folder("kit", contents, compiled=True)


def _await_ready(link: FrameLink) -> None:
    """Until a kit's process, of which nothing of a task's was asked yet, says that it is there."""
    try:
        link.receive(_READY_S)
    except FrameError as error:
        raise SandboxError(f"the sandbox does not start a process: {error}") from None


def _check_alive(sandbox: Sandbox) -> None:
    """Raises SandboxError where the sandbox itself does not answer, whatever runs inside."""
    # Not by a command of the shell: that may be answered while the guest is not there.
    if sandbox.open(["true"]).status(_ALIVE_S) != 0:
        raise SandboxError("the sandbox does not start a process")


def _message(header: bytes) -> dict[str, Any]:
    """A frame's header from the referee. Raises ValueError, TypeError for what has no sense."""
    message: Any = json.loads(header)
    if not isinstance(message, dict):
        raise TypeError(f"it sent {header[:100]!r}, which is no message")
    found = cast("dict[str, Any]", message)
    for number in (found.get("timeout_s", 0.0), *dict(found.get("metrics", {})).values()):
        float(number)
    return found


def _command(role: str) -> list[str]:
    return ["env", "PYTHONHASHSEED=0", "python", "-P", "-s", f"{KIT_INSIDE}/mlgym_kit.py", role]


def _fresh(player: Sandbox, files: Files) -> FrameLink:
    """The submission in a wiped sandbox, and a new process of it."""
    player.reset()
    link = FrameLink(player.open(_command("player")))
    _lay(player, files)
    _await_ready(link)
    return link


@contextmanager
def _alone() -> Generator[None, None, None]:
    """While no other timed grading runs on this host: it would be measured, too."""
    home().mkdir(parents=True, exist_ok=True)
    with locked(home() / "timed-grading.lock"):
        yield


def _lay(sandbox: Sandbox, files: Files) -> None:
    for name, content in files.items():
        try:
            sandbox.write(f"/workspace/{name}", content)
        except OSError as error:
            raise SandboxError(f"the submission cannot be laid for grading: {error}") from error
