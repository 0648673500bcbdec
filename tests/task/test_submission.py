"""What is carried out of a workspace, and what is refused."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mlgym.errors import SubmissionError
from mlgym.sandbox.backends import load_backend
from mlgym.sandbox.base import Sandbox, SandboxSpec
from mlgym.task.schema import SubmissionSpec
from mlgym.task.submission import collect, read_folder

WANTED = SubmissionSpec(kind="model", paths=("policy.py", "weights/"), max_mb=1)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    spec = SandboxSpec(image="base", workspace=tmp_path_factory.mktemp("empty"))
    with load_backend("bubblewrap")(spec) as started:
        yield started


def test_declared_files_and_folders_are_collected(sandbox: Sandbox) -> None:
    sandbox.reset()
    sandbox.run(
        "echo p > policy.py; mkdir -p weights/deep; echo w > weights/deep/w; echo x > other", 5
    )
    assert collect(sandbox, WANTED) == {"policy.py": b"p\n", "weights/deep/w": b"w\n"}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("true", "policy.py is missing"),
        ("echo p > policy.py", "weights is missing"),
        ("echo p > policy.py; mkdir weights", "weights/ is missing"),
        ("ln -s /etc/passwd policy.py", "not a regular file"),
        ("mkfifo policy.py", "not a regular file"),
        ("mkdir policy.py", "not a regular file"),
        ("echo p > policy.py; mkdir weights; ln -s /etc weights/etc", "not a regular file"),
        ("echo p > policy.py; ln -s /etc weights", "not a regular file"),
        ("head -c 2000000 /dev/zero > policy.py", "larger than 1 MB"),
        ("echo p > policy.py; chmod 0 policy.py", "cannot be read"),
    ],
)
def test_what_is_no_sound_submission_says_why(sandbox: Sandbox, command: str, words: str) -> None:
    sandbox.reset()
    sandbox.run(command, 10)
    with pytest.raises(SubmissionError, match=words):
        collect(sandbox, WANTED)


class Liar:
    """A sandbox whose export was taken over by the agent."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def export(self, paths: Sequence[str], max_bytes: int) -> Iterator[bytes]:
        del paths, max_bytes
        yield self.data


def tar(*members: tuple[str, bytes, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as file:
        for name, kind, data in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(data), "/etc/passwd"
            file.addfile(info, io.BytesIO(data))
    return packed.getvalue()


REG, LINK, HARD = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.mark.parametrize(
    "data",
    [
        tar(("policy.py", LINK, b"")),
        tar(("policy.py", HARD, b"")),
        tar(("../policy.py", REG, b"x")),
        tar(("weights/../../x", REG, b"x")),
        tar(("/etc/passwd", REG, b"x")),
        tar(("policy.py", REG, b"a"), ("policy.py", REG, b"b")),
        tar(("other", REG, b"x")),
        tar(("policy.py", REG, b"x" * 2_000_000)),
        b"\xff" * 2048,
        b"",
    ],
)
def test_a_tar_that_lies_is_refused(data: bytes) -> None:
    with pytest.raises(SubmissionError):
        collect(Liar(data), WANTED)  # type: ignore[arg-type]


def test_a_host_folder_is_read_by_the_same_rules(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "w").write_bytes(b"w")
    with pytest.raises(SubmissionError, match=r"policy\.py is missing"):
        read_folder(tmp_path, WANTED)
    (tmp_path / "policy.py").write_bytes(b"p")
    assert read_folder(tmp_path, WANTED) == {"policy.py": b"p", "weights/w": b"w"}
    (tmp_path / "weights" / "link").symlink_to("/etc/passwd")
    with pytest.raises(SubmissionError, match="not a regular file"):
        read_folder(tmp_path, WANTED)


def test_a_single_file_may_be_named_itself(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_bytes(b"1")
    wanted = SubmissionSpec(kind="predictions", paths=("submission.csv",))
    assert read_folder(file, wanted) == {"submission.csv": b"1"}
