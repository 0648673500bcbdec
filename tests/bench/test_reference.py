"""The reference shell really sources the text, and does nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlgym.bench.reference import ReferenceShell
from mlgym.errors import SandboxError


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[ReferenceShell]:
    with ReferenceShell(tmp_path) as shell:
        yield shell


def test_it_gives_output_and_status(shell: ReferenceShell) -> None:
    assert shell.run(b"echo hi") == (b"hi\n", 0)
    assert shell.run(b"echo oh >&2; (exit 7)") == (b"oh\n", 7)
    assert shell.run(b"") == (b"", 0)


def test_it_sources_the_text_so_that_state_stays(shell: ReferenceShell, tmp_path: Path) -> None:
    shell.run(b"A=1; f() { echo F$1; }; mkdir inner; cd inner")
    assert shell.run(b"pwd; echo $A; f 2") == (f"{tmp_path}/inner\n1\nF2\n".encode(), 0)
    assert shell.run(b"return 3\necho never") == (b"", 3)


def test_the_text_s_stdin_is_empty(shell: ReferenceShell) -> None:
    assert shell.run(b"cat; readlink /proc/self/fd/0") == (b"/dev/null\n", 0)


def test_a_shorter_text_leaves_nothing_of_a_longer_one(shell: ReferenceShell) -> None:
    shell.run(b"echo one\necho two\necho three")
    assert shell.run(b"echo a") == (b"a\n", 0)


def test_it_takes_any_amount_of_output(shell: ReferenceShell) -> None:
    assert shell.stream(b"head -c 3000000 /dev/zero; (exit 2)") == (3_000_000, 2)
    assert shell.stream(b":") == (0, 0)
    assert shell.run(b"echo still") == (b"still\n", 0)


def test_its_end_is_an_error(shell: ReferenceShell) -> None:
    with pytest.raises(SandboxError, match="has ended"):
        shell.run(b"exit 1")
    with pytest.raises(SandboxError, match="has ended"):
        shell.run(b"echo hi")


def test_nothing_is_acquired_before_it_is_entered_and_nothing_is_left_after() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    shell = ReferenceShell()
    with pytest.raises(SandboxError, match="not started"):
        _ = shell.pid
    with shell:
        pid = shell.pid
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_missing_bash_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match="bash"), ReferenceShell():
        pass
