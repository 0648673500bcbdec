"""Small read-only folders of MLGym's own that sandboxes mount: made once, shared by all."""

from __future__ import annotations

import compileall
import hashlib
import os
import py_compile
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from mlgym.catalog import home
from mlgym.errors import SandboxError
from mlgym.sandbox.guest.files import FIXED_MTIME


def laid_folder(
    name: str, files: Mapping[str, bytes], *, mode: int = 0o644, compiled: bool = False
) -> Path:
    """`$MLGYM_HOME/<name>-<digest>` with these files, by path below it, made if need be.

    With `compiled` the byte code of this interpreter's version lies beside them.

    Raises SandboxError where it cannot be written.
    """
    parts = [f"{path}\0{mode}\0{compiled}\0".encode() + files[path] for path in sorted(files)]
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
    folder = home() / f"{name}-{digest}"
    if folder.is_dir():
        return folder
    make_once(folder, lambda fresh: _fill(fresh, files, mode, compiled=compiled))
    return folder


def make_once(folder: Path, fill: Callable[[Path], object]) -> None:
    """Make a folder that is there wholly or not at all; `fill` gets an empty one to be renamed.

    Raises SandboxError where it cannot be written.
    """
    fresh = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f"{folder.name}.new-", dir=folder.parent))
        fill(fresh)
        fresh.rename(folder)
    except OSError as error:
        # Another process may have been faster; its folder is the same.
        if not folder.is_dir():
            raise SandboxError(f"{folder} cannot be made: {error}") from error
    finally:
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)


def _fill(folder: Path, files: Mapping[str, bytes], mode: int, *, compiled: bool) -> None:
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    if compiled:
        unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(folder, quiet=2, invalidation_mode=unchecked)
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o755 if path.is_dir() else mode)
        os.utime(path, (FIXED_MTIME, FIXED_MTIME))
