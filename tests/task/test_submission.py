"""What is carried out of a workspace, and what is refused."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgym.errors import SubmissionError
from mlgym.sandbox.backends import load_backend
from mlgym.sandbox.base import Sandbox, SandboxSpec
from mlgym.task.schema import SubmissionSpec
from mlgym.task.submission import collect, read_folder

WANTED = SubmissionSpec(kind="model", paths=("policy.py", "weights/"), max_mb=1)


SOCKET = "python -c \"import socket; socket.socket(socket.AF_UNIX).bind('weights/s')\""
# Longer than any path that could be opened by name.
DEEP = "n=$(printf 'd%.0s' {1..200}); for i in {1..30}; do mkdir $n; cd $n; done; : > w; cd ~"
MANY = "for i in {1..10001}; do : > weights/$i; done"


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
        ("echo p > policy.py; mkdir -p weights; mkfifo $'weights/\\xff'", r"\\udcff is not a"),
        ("echo p > policy.py; mkdir weights; " + SOCKET, "not a regular file"),
        ("echo p > policy.py; mkdir weights; cd weights; " + DEEP, "a path of more than"),
        ("echo p > policy.py; mkdir weights; " + MANY, "more than 10000 files"),
        ("echo p > policy.py; mkdir weights; truncate -s 900G weights/w", "larger than 1 MB"),
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


def gnu_sparse(size: int) -> bytes:
    """A tar of one sparse file that claims to be `size` bytes long and has none of them."""
    info = tarfile.TarInfo("policy.py")
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = size.to_bytes(12, "big")
    header[483] = 0x80
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return bytes(header) + bytes(1024)


def pax_sparse(size: int) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as file:
        info = tarfile.TarInfo("policy.py")
        claims = {"major": "1", "minor": "0", "realsize": str(size), "name": "policy.py"}
        info.pax_headers = {f"GNU.sparse.{name}": value for name, value in claims.items()}
        info.size = 512
        file.addfile(info, io.BytesIO(b"0\n".ljust(512, b"\0")))
    return packed.getvalue()


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
        tar(("policy.py", tarfile.CONTTYPE, b"x")),
        tar(("policy.py", REG, b"x"), ("weights/./w", REG, b"x")),
        tar(("policy.py", REG, b"x"), ("weights/w", REG, b"x"), ("weights/w/w", REG, b"x")),
        tar(("policy.py", REG, b"x"), ("weights/w/w", REG, b"x"), ("weights/w", REG, b"x")),
        tar(("policy.py", REG, b"x"), ("weights/w", REG, b"x"))[:1500],
        tar(("policy.py", REG, b"x" * 2_000_000)),
        b"\xff" * 2048,
        b"",
    ],
)
def test_a_tar_that_lies_is_refused(data: bytes) -> None:
    with pytest.raises(SubmissionError):
        collect(Liar(data), WANTED)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [gnu_sparse, pax_sparse])
def test_a_sparse_file_s_claim_is_refused_before_it_takes_memory(
    make: Callable[[int], bytes],
) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(SubmissionError, match="not a regular file"):
            collect(Liar(make(1 << 40)), WANTED)  # type: ignore[arg-type]
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@given(st.data())
def test_a_damaged_tar_is_refused_or_holds_what_may_be_handed_in(data: st.DataObject) -> None:
    sound = bytearray(tar(("policy.py", REG, b"p"), ("weights/w", REG, b"w" * 600)))
    for _ in range(data.draw(st.integers(1, 6))):
        sound[data.draw(st.integers(0, 3000))] = data.draw(st.integers(0, 255))
    try:
        files = collect(Liar(bytes(sound)), WANTED)  # type: ignore[arg-type]
    except SubmissionError:
        return
    assert all(name == "policy.py" or name.startswith("weights/") for name in files)


def test_a_name_that_is_no_text_is_carried_and_laid(sandbox: Sandbox) -> None:
    sandbox.reset()
    sandbox.run("echo p > policy.py; mkdir weights; echo w > $'weights/\\xff'", 5)
    files = collect(sandbox, WANTED)
    sandbox.reset()
    for name, content in files.items():
        sandbox.write(f"/workspace/{name}", content)
    assert sandbox.run("cat $'weights/\\xff'", 5).output == "w\n"


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
    (tmp_path / "weights").rename(tmp_path / "elsewhere")
    (tmp_path / "weights").symlink_to("elsewhere")
    with pytest.raises(SubmissionError, match="weights/ is a link"):
        read_folder(tmp_path, WANTED)


def test_a_single_file_may_be_named_itself(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_bytes(b"1")
    wanted = SubmissionSpec(kind="predictions", paths=("submission.csv",))
    assert read_folder(file, wanted) == {"submission.csv": b"1"}
    file.write_bytes(bytes(65 * 2**20))
    with pytest.raises(SubmissionError, match="larger than 64 MB"):
        read_folder(file, wanted)
