"""A host folder as the guest lays it: entries in a fixed order, and one body of contents."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from mlgym.errors import SandboxError


def pack_folder(folder: Path) -> tuple[list[dict[str, Any]], bytes]:
    """The entries of a host folder in a fixed order, and the files' contents one after another.

    Raises SandboxError for anything that is neither file, folder nor symbolic link.
    """
    entries: list[dict[str, Any]] = []
    contents: list[bytes] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            entries.append({"path": name, "link": str(path.readlink())})
        elif stat.S_ISDIR(mode):
            entries.append({"path": name})
        elif stat.S_ISREG(mode):
            data = path.read_bytes()
            access = 0o755 if mode & 0o100 else 0o644
            entries.append({"path": name, "size": len(data), "mode": access})
            contents.append(data)
        else:
            raise SandboxError(f"{path}: neither file, folder nor symbolic link")
    return entries, b"".join(contents)
