"""Carries a submission out of a workspace: declared files only, as bytes, every one checked."""

from __future__ import annotations

import errno
import io
import stat
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlgym.errors import SubmissionError
from mlgym.sandbox.base import Sandbox
from mlgym.task.schema import SubmissionSpec

Files = Mapping[str, bytes]
"""File contents by path, relative to the workspace, in POSIX form."""

MOST_FILES = 10_000


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
    return _checked(_members(bytes(data)), wanted)


def read_folder(folder: Path, wanted: SubmissionSpec) -> Files:
    """The submission as it stands in a host folder (or, for one path, the file itself).

    Raises SubmissionError like `collect`.
    """
    if folder.is_file() and len(wanted.paths) == 1 and not wanted.paths[0].endswith("/"):
        return _checked(iter([(wanted.paths[0], folder.read_bytes())]), wanted)
    return _checked(_host_files(folder, wanted), wanted)


def _host_files(folder: Path, wanted: SubmissionSpec) -> Iterator[tuple[str, bytes]]:
    for declared in wanted.paths:
        path = folder / declared
        found = sorted(path.rglob("*")) if declared.endswith("/") else [path]
        for file in found:
            try:
                mode = file.lstat().st_mode
                if stat.S_ISDIR(mode) and declared.endswith("/"):
                    continue
                if not stat.S_ISREG(mode):
                    raise SubmissionError(f"{declared}: {file.name} is not a regular file")
                if file.stat().st_size > wanted.max_bytes:
                    raise OSError(errno.EFBIG, "", declared)
                yield file.relative_to(folder).as_posix(), file.read_bytes()
            except OSError as error:
                raise _explained(error, wanted, declared) from None


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The files in a tar that came from inside, where anything may have been written."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for member in tar:
                if not member.isreg():
                    raise SubmissionError(f"{member.name!r} is not a regular file")
                file = tar.extractfile(member)
                yield member.name, file.read() if file else b""
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise SubmissionError(f"the submission cannot be read: {error}") from None


def _checked(found: Iterator[tuple[str, bytes]], wanted: SubmissionSpec) -> Files:
    """The files, none outside of what is declared, nothing declared missing, in bounds."""
    files: dict[str, bytes] = {}
    total = 0
    for name, content in found:
        parts = name.split("/")
        if name in files or ".." in parts or "" in parts or not _is_declared(name, wanted):
            raise SubmissionError(f"{name!r} is not part of the declared submission")
        files[name] = content
        total += len(content)
        if total > wanted.max_bytes:
            raise SubmissionError(f"the submission is larger than {wanted.max_mb:g} MB")
        if len(files) > MOST_FILES:
            raise SubmissionError(f"the submission has more than {MOST_FILES} files")
    for path in wanted.paths:
        if not any(_covers(path, name) for name in files):
            raise SubmissionError(f"{path} is missing: write it into /workspace")
    return files


def _is_declared(name: str, wanted: SubmissionSpec) -> bool:
    return any(_covers(path, name) for path in wanted.paths)


def _covers(path: str, name: str) -> bool:
    return name.startswith(path) if path.endswith("/") else name == path


def _explained(error: OSError, wanted: SubmissionSpec, path: str | None = None) -> SubmissionError:
    name = path or error.filename or "the submission"
    if error.errno == errno.ENOENT:
        return SubmissionError(f"{name} is missing: write it into /workspace")
    if error.errno == errno.EFBIG:
        return SubmissionError(f"the submission is larger than {wanted.max_mb:g} MB")
    if error.errno in (errno.ELOOP, errno.EINVAL, errno.ENOTDIR, errno.EISDIR):
        return SubmissionError(f"{name} is not a regular file (links and pipes are not followed)")
    return SubmissionError(f"{name} cannot be read: {error.strerror}")
