"""What answers in the shell where a tool's name is typed inside of a script."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from mlgym.sandbox.guest.files import FIXED_MTIME
from mlgym.tools.registry import TOOLS

_STUB = """#!/bin/sh
echo "${0##*/} is a tool, not a program: send it alone, as the whole action." >&2
exit 2
"""


def write_stubs(folder: Path) -> None:
    """An executable for each tool but the shell, in the existing `folder`."""
    for name in (tool.spec.name for tool in TOOLS if tool.spec.name != "bash"):
        path = folder / name
        path.write_text(_STUB)
        path.chmod(0o755)
        os.utime(path, (FIXED_MTIME, FIXED_MTIME))
    os.utime(folder, (FIXED_MTIME, FIXED_MTIME))


def stubs_folder(home: Path) -> Path:
    """The stubs' folder below `home`, made if need be."""
    names = "-".join(sorted(tool.spec.name for tool in TOOLS))
    key = hashlib.sha256(f"{names}{_STUB}".encode()).hexdigest()[:12]
    folder = home / f"stubs-{key}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=folder.parent))
        fresh.chmod(0o755)
        write_stubs(fresh)
        try:
            fresh.rename(folder)
        except OSError:
            # Another process was faster; its stubs are the same.
            shutil.rmtree(fresh)
    return folder
