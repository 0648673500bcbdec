"""The root of a bubblewrap sandbox: what of the host is seen inside, and where.

The root is a folder of empty mount points, links and a generated `/etc`, made once for each set of
mounts, bound read-only. Everything in it carries a fixed modification time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlgym.catalog import home
from mlgym.errors import SandboxError
from mlgym.sandbox.guest.files import FIXED_MTIME
from mlgym.sandbox.inside import WRITABLE, Mounts

_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_SYSTEM = (
    *(f"/usr/{name}" for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "libexec")),
    *(f"/usr/share/{name}" for name in ("zoneinfo", "perl", "perl5", "git-core")),
)
"""Of the host's /usr only programs and libraries: data packages may hold a benchmark's answers."""
_HIDDEN = ("/usr/lib/python3/dist-packages",)
_ETC = {
    "group": "root:x:0:\nagent:x:{gid}:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "passwd": (
        "root:x:0:0:root:/root:/usr/sbin/nologin\n"
        "agent:x:{uid}:{gid}:agent:/home/agent:/bin/bash\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    ),
}
_NETWORK_FILES = ("/etc/resolv.conf", "/etc/ssl", "/usr/share/ca-certificates")


def interpreter() -> Path:
    """The base interpreter, which runs the guest and stands behind every image's environment."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for name in (f"python{version}", "python3"):
        path = Path(sys.base_prefix) / "bin" / name
        if path.exists():
            return path
    raise SandboxError(f"no python in {sys.base_prefix}/bin")


def binds(environment: Path, mounts: Mounts, network: bool) -> Mounts:
    """(host path, path inside) of everything bound read-only, in the order of binding."""
    found: list[tuple[Path, str]] = []
    for path in (*_SYSTEM, *(f"/{name}" for name in _LINKS)):
        if Path(path).is_dir() and not Path(path).is_symlink():
            found.append((Path(path), path))
    prefix = sys.base_prefix
    if prefix != "/usr":
        found.append((Path(prefix), prefix))
    if network:
        found += [(Path(path), path) for path in _NETWORK_FILES if Path(path).exists()]
    found += [(environment, "/opt/env"), *mounts]
    return tuple(found)


def hidden() -> Iterator[str]:
    """Folders inside what is bound that stay empty: other people's Python packages."""
    library = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
    own = (f"{sys.base_prefix}/{library}/{name}" for name in ("site-packages", "dist-packages"))
    for path in (*_HIDDEN, *own):
        if Path(path).is_dir():
            yield path


def make_root(bound: Mounts, uid: int, gid: int) -> Path:
    """The root folder for these mounts and this user, made under `$MLGYM_HOME/roots`."""
    points = sorted({(inside, host.is_dir()) for host, inside in bound})
    links = [(name, str(Path("/" + name).readlink())) for name in _LINKS if _is_link(name)]
    key = json.dumps([points, links, uid, gid, _ETC, _cache_stamp()])
    folder = home() / "roots" / hashlib.sha256(key.encode()).hexdigest()[:16]
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix="new-"))
    try:
        fresh.chmod(0o755)
        _fill(fresh, points, links, uid, gid)
        fresh.rename(folder)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        # Somebody else may have been faster; theirs is the same.
        if not folder.is_dir():
            raise
    return folder


def _is_link(name: str) -> bool:
    return Path("/" + name).is_symlink()


def _cache_stamp() -> float:
    cache = Path("/etc/ld.so.cache")
    return cache.stat().st_mtime if cache.exists() else 0.0


def _fill(
    root: Path,
    points: Iterable[tuple[str, bool]],
    links: Iterable[tuple[str, str]],
    uid: int,
    gid: int,
) -> None:
    for folder in ("proc", "dev", "etc", "run/sh", *(path[1:] for path in WRITABLE)):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, target in links:
        (root / name).symlink_to(target)
    for name, text in _ETC.items():
        (root / "etc" / name).write_text(text.format(uid=uid, gid=gid))
    if Path("/etc/ld.so.cache").exists():
        shutil.copyfile("/etc/ld.so.cache", root / "etc/ld.so.cache")
    _copy_alternatives(root)
    for inside, is_folder in points:
        # A point below a writable folder is made in its tmpfs, at start.
        if any(inside.startswith(folder + "/") for folder in WRITABLE):
            continue
        point = root / inside[1:]
        if is_folder:
            point.mkdir(parents=True, exist_ok=True)
        else:
            point.parent.mkdir(parents=True, exist_ok=True)
            point.touch()
    for folder, folders, files in os.walk(root, topdown=False):
        for name in (*folders, *files, "."):
            path = Path(folder) / name
            os.utime(path, (FIXED_MTIME, FIXED_MTIME), follow_symlinks=False)


def _copy_alternatives(root: Path) -> None:
    """Debian's names for programs (`awk` is one) are links through /etc/alternatives."""
    source = Path("/etc/alternatives")
    target = root / "etc/alternatives"
    target.mkdir()
    for link in source.iterdir() if source.is_dir() else ():
        if link.is_symlink():
            (target / link.name).symlink_to(link.readlink())
