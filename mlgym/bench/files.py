"""What it costs to read and write a small file inside, and to carry the whole workspace out.

The counterpart reads and writes the same bytes by bash's own means, and runs `tar`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from mlgym.bench.measures import Measure, compared, in_turn, timed
from mlgym.bench.reference import ReferenceShell
from mlgym.bench.setting import LINES, Setting
from mlgym.errors import SandboxError

SIZE = 4000
_MOST = 64_000_000
_READ = b'IFS= read -r -d "" text <note.txt; printf %s "$text"'


def files(setting: Setting) -> list[Measure]:
    """The sandbox's `write`, `read` and `export`."""
    plan, backend = setting.plan, setting.backend
    folders = [path.name + "/" for path in setting.workspace.iterdir() if path.is_dir()]
    content = b"4 kB of text. " * SIZE
    content = content[:SIZE]
    write = b"printf %s '" + content + b"' >note.txt"
    with (
        setting.env(setting.laden) as env,
        tempfile.TemporaryDirectory() as folder,
        ReferenceShell(Path(folder)) as shell,
        ReferenceShell(setting.workspace) as at_workspace,
    ):
        box = env.sandbox
        wrote = in_turn(
            timed(lambda: box.write("/workspace/note.txt", content)),
            timed(lambda: shell.run(write)),
            plan.files,
        )
        read = in_turn(
            timed(lambda: _same(box.read("/workspace/note.txt", SIZE), content)),
            timed(lambda: _same(shell.run(_READ)[0], content)),
            plan.files,
        )
        exported = in_turn(
            timed(lambda: _drain(box.export([*folders, LINES], _MOST))),
            timed(lambda: at_workspace.stream(b"tar -c .")),
            plan.exports,
        )
    return [
        compared(backend, "write_4kb", wrote, against="R, printf", detail="`Sandbox.write`"),
        compared(backend, "read_4kb", read, against="R, read", detail="`Sandbox.read`"),
        compared(
            backend, "export_5mb", exported, against="R, tar", detail="81 files, `Sandbox.export`"
        ),
    ]


def _same(found: bytes, wanted: bytes) -> None:
    if found != wanted:
        raise SandboxError(f"{len(found)} other bytes were read than were written")


def _drain(pieces: Iterable[bytes]) -> int:
    return sum(len(piece) for piece in pieces)
