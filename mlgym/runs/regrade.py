"""Takes a submission out of a run's recorded final workspace, to be graded again."""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath

import zstandard

from mlgym.errors import ConfigError, SubmissionError
from mlgym.runs.store import WORKSPACE, RunFolder
from mlgym.sandbox.scratch import scratch
from mlgym.task.schema import SubmissionSpec
from mlgym.task.submission import Files, read_folder


def recorded_submission(run: RunFolder, wanted: SubmissionSpec) -> Files:
    """The submission as the run left it.

    Raises:
        ConfigError: the run kept no workspace, or it cannot be read.
        SubmissionError: something declared is missing in it, no regular file, or too large.
    """
    path = run.path / WORKSPACE
    with scratch("regrade") as folder:
        try:
            with (
                path.open("rb") as packed,
                zstandard.ZstdDecompressor().stream_reader(packed) as stream,
                tarfile.open(fileobj=stream, mode="r|") as tar,
            ):
                for member in tar:
                    if _is_wanted(member.name, wanted):
                        _lay(tar, member, Path(folder), wanted)
        except (OSError, tarfile.TarError, zstandard.ZstdError) as error:
            raise ConfigError(f"{path}: the run's workspace cannot be read: {error}") from error
        return read_folder(Path(folder), wanted)


def _is_wanted(name: str, wanted: SubmissionSpec) -> bool:
    return any(
        name.startswith(path) if path.endswith("/") else name == path for path in wanted.paths
    )


def _lay(
    tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, wanted: SubmissionSpec
) -> None:
    # The names in it were an agent's to choose.
    parts = PurePosixPath(member.name).parts
    content = tar.extractfile(member) if member.isreg() else None
    if content is None or ".." in parts or member.size > wanted.max_bytes:
        raise SubmissionError(f"{member.name!r} is no regular file of at most {wanted.max_mb:g} MB")
    target = folder.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.read())
