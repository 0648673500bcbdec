"""Checkpoints of a running episode on disk: the newest whole one is what a run goes on from.

A file is a zstd stream of a length (8 bytes), that much JSON, the files of the best submission, and
what the sandbox saved. Nothing in it is unpickled: a run folder may have come from anywhere.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import zstandard

from mlgym.episode import Account
from mlgym.judge import Best
from mlgym.laboratory import Origin
from mlgym.runs.whole import written_whole
from mlgym.snapshot import Snapshot, keep
from mlgym.tools.base import EditorState
from mlgym.types import Score, Transition

_LENGTH = struct.Struct(">Q")
_PIECE = 1 << 18
_MOST_TOLD = 64 << 20
_PATTERN = "step-*.zst"


def write_checkpoint(folder: Path, snapshot: Snapshot) -> None:
    """Keep `snapshot` in `folder`, whole or not at all, instead of the one before.

    Raises OSError.
    """
    folder.mkdir(exist_ok=True)
    path = folder / f"step-{snapshot.account.steps:08}.zst"
    kept = snapshot.account.kept
    told = json.dumps(_told(snapshot)).encode()
    with (
        written_whole(path) as fresh,
        fresh.open("wb") as file,
        zstandard.ZstdCompressor(3).stream_writer(file) as packed,
    ):
        packed.write(_LENGTH.pack(len(told)) + told)
        for content in kept.files.values() if kept else ():
            packed.write(content)
        for piece in snapshot.saved():
            packed.write(piece)
    for other in folder.glob(_PATTERN):
        if other != path:
            other.unlink()


def read_checkpoint(
    folder: Path, on_broken: Callable[[str], None] = lambda _: None
) -> Snapshot | None:
    """The newest whole checkpoint in `folder`, None where there is none.

    `on_broken` is told of those that cannot be read.
    """
    for path in sorted(folder.glob(_PATTERN), reverse=True):
        try:
            with (
                path.open("rb") as file,
                zstandard.ZstdDecompressor().stream_reader(file) as unpacked,
            ):
                return _snapshot(unpacked)
        except (
            OSError,
            zstandard.ZstdError,
            struct.error,
            ValueError,
            KeyError,
            TypeError,
            RecursionError,
        ) as error:
            on_broken(f"{path}: this checkpoint cannot be read: {error}")
    return None


def _told(snapshot: Snapshot) -> dict[str, Any]:
    account = snapshot.account
    kept = account.kept
    best = None
    if kept is not None:
        sizes = [[name, len(content)] for name, content in kept.files.items()]
        best = {"score": kept.score.to_json(), "files": sizes}
    return {
        "origin": asdict(snapshot.origin),
        "steps": account.steps,
        "elapsed_s": account.elapsed_s,
        "total_reward": account.total_reward,
        "best_paid": account.best_paid,
        "editor": asdict(account.editor),
        "best": best,
        "notes": list(account.notes),
        "last": asdict(snapshot.last),
        "random_state": dict(snapshot.random_state),
    }


def _snapshot(unpacked: IO[bytes]) -> Snapshot:
    (length,) = _LENGTH.unpack(unpacked.read(_LENGTH.size))
    if length > _MOST_TOLD:
        raise ValueError(f"it tells {length} bytes of itself")
    told = json.loads(_exactly(unpacked, length))
    best = None
    if told["best"] is not None:
        files = {name: _exactly(unpacked, size) for name, size in told["best"]["files"]}
        best = Best(Score(**told["best"]["score"]), files)
    account = Account(
        told["steps"],
        told["elapsed_s"],
        told["total_reward"],
        told["best_paid"],
        EditorState(**told["editor"]),
        best,
        tuple(map(str, told["notes"])),
    )
    origin, last = Origin(**told["origin"]), Transition(**told["last"])
    return Snapshot(origin, account, last, _state(told), keep(_pieces(unpacked)))


def _state(told: Mapping[str, Any]) -> Mapping[str, Any]:
    return dict(told["random_state"])


def _exactly(unpacked: IO[bytes], size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        piece = unpacked.read(min(_PIECE, size - len(found)))
        if not piece:
            raise ValueError("it breaks off")
        found += piece
    return bytes(found)


def _pieces(unpacked: IO[bytes]) -> Iterator[bytes]:
    while piece := unpacked.read(_PIECE):
        yield piece
