"""Carries a submission out of a workspace: declared files only, as bytes, every one checked."""

from __future__ import annotations

import errno
import io
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlgym.errors import SubmissionError
from mlgym.sandbox.base import Sandbox
from mlgym.task.schema import SubmissionSpec

Files = Mapping[str, bytes]
"""File contents by path, relative to the workspace, in POSIX form."""

_NO_FILE = (errno.ELOOP, errno.EINVAL, errno.ENOTDIR, errno.EISDIR, errno.ENXIO)
MOST_FILES = 10_000
LONGEST_PATH = 2048
"""In bytes. Inside, a path can be made longer than any that a file can be written to at once."""


def collect(sandbox: Sandbox, wanted: SubmissionSpec) -> Files:
    """The submission as it stands in the sandbox's workspace.

    Raises:
        SubmissionError: something declared is missing, no regular file, or too large.
        SandboxError: the sandbox is lost.
    """
    data = bytearray()
    try:
        for piece in sandbox.export(wanted.paths, wanted.max_bytes):
            data += piece
    except OSError as error:
        raise _explained(error, wanted) from None
    return _all_declared(dict(_members(bytes(data), _Gate(wanted))), wanted)


def read_folder(folder: Path, wanted: SubmissionSpec) -> Files:
    """The submission as it stands in a host folder (or, for one path, the file itself).

    Raises SubmissionError like `collect`.
    """
    gate = _Gate(wanted)
    if folder.is_file() and len(wanted.paths) == 1 and not wanted.paths[0].endswith("/"):
        gate.admit(wanted.paths[0], folder.stat().st_size)
        return {wanted.paths[0]: folder.read_bytes()}
    return _all_declared(dict(_host_files(folder, wanted, gate)), wanted)


def printable(text: str) -> str:
    """`text` with what no encoding can carry (half a file name's bytes) written out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class _Gate:
    """Decides by name and size, before any content is read, whether a file is let in."""

    def __init__(self, wanted: SubmissionSpec) -> None:
        self._wanted = wanted
        self._names: set[str] = set()
        self._folders: set[str] = set()
        self._total = 0

    def admit(self, name: str, size: int) -> None:
        """Raises SubmissionError for a file that is not declared, there already, or too much."""
        wanted = self._wanted
        parts = name.split("/")
        folders = {"/".join(parts[:depth]) for depth in range(1, len(parts))}
        strange = {"", ".", ".."} & set(parts)
        clashes = name in self._names or name in self._folders or folders & self._names
        if strange or clashes or not any(_covers(path, name) for path in wanted.paths):
            raise SubmissionError(f"{name!r:.200} is not part of the declared submission")
        if len(os.fsencode(name)) > LONGEST_PATH:
            raise SubmissionError(f"{name!r:.60}... is a path of more than {LONGEST_PATH} bytes")
        self._names.add(name)
        self._folders |= folders
        self._total += size
        if self._total > wanted.max_bytes:
            raise SubmissionError(f"the submission is larger than {wanted.max_mb:g} MB")
        if len(self._names) > MOST_FILES:
            raise SubmissionError(f"the submission has more than {MOST_FILES} files")


def _host_files(folder: Path, wanted: SubmissionSpec, gate: _Gate) -> Iterator[tuple[str, bytes]]:
    for declared in wanted.paths:
        path = folder / declared
        if path.is_symlink():
            raise SubmissionError(f"{declared} is a link: links are not followed")
        found = sorted(path.rglob("*")) if declared.endswith("/") else [path]
        for file in found:
            try:
                status = file.lstat()
                if stat.S_ISDIR(status.st_mode) and declared.endswith("/"):
                    continue
                if not stat.S_ISREG(status.st_mode):
                    raise SubmissionError(
                        printable(f"{declared}: {file.name} is not a regular file")
                    )
                name = file.relative_to(folder).as_posix()
                gate.admit(name, status.st_size)
                yield name, file.read_bytes()
            except OSError as error:
                raise _explained(error, wanted, declared) from None


def _members(data: bytes, gate: _Gate) -> Iterator[tuple[str, bytes]]:
    """The files in a tar that came from inside, where anything may have been written."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for member in tar:
                # A sparse file's header can claim terabytes that its content does not have.
                plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
                if not plain or member.issparse():
                    raise SubmissionError(f"{member.name!r:.200} is not a regular file")
                gate.admit(member.name, member.size)
                file = tar.extractfile(member)
                yield member.name, file.read() if file else b""
    except (tarfile.TarError, ValueError, LookupError, OverflowError, EOFError) as error:
        raise SubmissionError(f"the submission cannot be read: {printable(str(error))}") from None


def _all_declared(files: Files, wanted: SubmissionSpec) -> Files:
    for path in wanted.paths:
        if not any(_covers(path, name) for name in files):
            raise SubmissionError(f"{path} is missing: write it into /workspace")
    return files


def _covers(path: str, name: str) -> bool:
    return name.startswith(path) if path.endswith("/") else name == path


def _explained(error: OSError, wanted: SubmissionSpec, path: str | None = None) -> SubmissionError:
    name = printable(str(path or error.filename or "the submission"))
    if error.errno == errno.ENOENT:
        return SubmissionError(f"{name} is missing: write it into /workspace")
    if error.errno == errno.EFBIG:
        return SubmissionError(f"the submission is larger than {wanted.max_mb:g} MB")
    if error.errno in _NO_FILE:
        return SubmissionError(f"{name} is not a regular file (links and pipes are not followed)")
    return SubmissionError(f"{name} cannot be read: {error.strerror}")
