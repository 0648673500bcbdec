"""Submissions that must be refused before anything is graded: missing, too large, links, pipes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from mlgym.errors import SandboxError, SubmissionError
from mlgym.sandbox.base import Backend, Sandbox, SandboxSpec
from mlgym.sandbox.scratch import scratch
from mlgym.task.check.claims import RefutedError
from mlgym.task.spec import Task
from mlgym.task.submission import Files, collect

_COMMAND_S = 30.0


def refused_unseen(task: Task, valid: Files | None, backend: Backend) -> str:
    """How many were refused. Raises RefutedError for those that were let in."""
    wanted = task.spec.submission
    files = valid or {path: b"x\n" for path in wanted.paths if not path.endswith("/")}
    let_in: list[str] = []
    count = 0
    with scratch("empty") as folder:
        spec = SandboxSpec(
            image=task.spec.image,
            workspace=Path(folder),
            limits=task.spec.limits(),
            label=f"{task.spec.id}-check",
        )
        with backend(spec) as sandbox:
            for path in wanted.paths:
                for name, command in _commands(path, wanted.max_bytes):
                    _lay(sandbox, files)
                    done = sandbox.run(command, _COMMAND_S)
                    if done.exit_code != 0:
                        raise SandboxError(f"`{command}` failed: {done.output}")
                    count += 1
                    try:
                        collect(sandbox, wanted)
                    except SubmissionError:
                        continue
                    let_in.append(f"{path}: {name} was let in")
    if let_in:
        raise RefutedError("\n".join(let_in))
    return f"{count} of {count}"


def _lay(sandbox: Sandbox, files: Files) -> None:
    sandbox.reset()
    for name, content in files.items():
        sandbox.write(f"/workspace/{name}", content)


def _commands(path: str, max_bytes: int) -> Iterator[tuple[str, str]]:
    place = shlex.quote(path.rstrip("/"))
    inside = f"{place}/file" if path.endswith("/") else place
    clear = f"rm -rf {place}"
    folder = f"mkdir -p {place} && " if path.endswith("/") else ""
    yield "nothing", clear
    yield "too large a file", f"{clear} && {folder}truncate -s {max_bytes + 1} {inside}"
    yield "a link to a file", f"{clear} && {folder}ln -s /etc/passwd {inside}"
    yield "a link that leads nowhere", f"{clear} && {folder}ln -s /nowhere {inside}"
    yield "a pipe", f"{clear} && {folder}mkfifo {inside}"
    if path.endswith("/"):
        yield "a file for a folder", f"{clear} && touch {place}"
        yield "a link for a folder", f"{clear} && ln -s /etc {place}"
    else:
        yield "a folder for a file", f"{clear} && mkdir {place}"
