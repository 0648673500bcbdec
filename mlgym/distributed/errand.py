"""One cell of a suite on the machine where Ray has put it: played by a process, told as it goes.

Where this machine sees the suite's folder, the run is written there. Else it is played in a folder
of its own, which is sent back as it is.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlgym.catalog import home
from mlgym.errors import ConfigError, SandboxError
from mlgym.runs.leftovers import reap
from mlgym.runs.suite.crew import LOG, Worker
from mlgym.runs.suite.gate import LOCKS
from mlgym.runs.suite.limits import LIMITS
from mlgym.runs.suite.matrix import cell_of
from mlgym.sandbox.backends import choose_backend

FILES = "files"
"""The kind of the message that brings the folder back."""
GOING_ON = ("note", "begin", "step")
_STOP_S = 10.0
_CARRIED = re.compile(
    r"MLGYM_(?!HOME$)\w+|\w+_(API_KEY|API_BASE|BASE_URL|API_VERSION|TOKEN|ACCESS_KEY_ID"
    r"|SECRET_ACCESS_KEY|REGION|REGION_NAME|PROJECT|LOCATION)|(?i:https?_proxy|no_proxy)"
)


@dataclass(frozen=True, slots=True)
class Errand:
    """`order` is what a worker is told. `folder` is the suite's, absolute; `shared` says whether
    every machine sees it, and `content`, where not, is what there is of the cell, packed.

    `variables` are given to the process where its machine does not set them; it works in `cwd`
    where that exists.
    """

    order: Mapping[str, Any]
    folder: str
    shared: bool
    cwd: str
    variables: Mapping[str, str]
    content: bytes | None = None


def carried(variables: Mapping[str, str]) -> dict[str, str]:
    """Those of the environment's variables that agents and models need wherever they are played."""
    return {name: value for name, value in variables.items() if _CARRIED.fullmatch(name)}


def sees(path: str, text: str) -> bool:
    """Whether the file at `path` holds `text` on this machine."""
    try:
        return Path(path).read_text("utf-8") == text
    except OSError:
        return False


def play_there(errand: Errand, gpus: tuple[str, ...]) -> Generator[dict[str, Any]]:
    """Play the cell; every message of its process as it comes, and the folder before the last.

    Interrupted, it cuts the episode off, which the folder, where shared, has to go on from.
    """
    cell = cell_of(errand.order["cell"])
    _tidy_up(errand.order["config"])
    with _place(errand) as folder:
        config = {**errand.order["config"], "gpus": list(gpus)}
        order = {**errand.order, "folder": str(folder), "config": config}
        if not errand.shared:
            # Then at least all on this machine keep the limits together.
            order["limits"] = str(home() / "limits" / Path(errand.folder).name)
        cwd = errand.cwd if Path(errand.cwd).is_dir() else None
        worker = Worker(folder, {**errand.variables, **os.environ}, cwd)
        try:
            worker.play(cell, gpus, order)
            while (said := worker.hear()) is not None:
                for message in said:
                    over = message["kind"] not in GOING_ON
                    if over and not errand.shared:
                        yield {"kind": FILES, "content": packed(folder)}
                    yield message
                    if over:
                        worker.dismiss()
                        return
            yield {"kind": "failed", "reason": worker.end(_STOP_S)}
        except KeyboardInterrupt:
            worker.stop()
        finally:
            worker.end(_STOP_S)


def _tidy_up(config: Mapping[str, Any]) -> None:
    """Remove what killed processes left on this machine, as a suite does before it begins."""
    with suppress(ConfigError, SandboxError):
        reap(choose_backend(config["sandbox"], 0))


@contextmanager
def _place(errand: Errand) -> Generator[Path]:
    if errand.shared:
        yield Path(errand.folder)
        return
    with tempfile.TemporaryDirectory(prefix="mlgym-cell-") as name:
        if errand.content is not None:
            unpacked(errand.content, Path(name))
        yield Path(name)


def packed(folder: Path, *names: str) -> bytes:
    """These of the folder's entries, or all that is not a lock, as a compressed tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for path in sorted(folder.iterdir()):
            if path.name in names if names else path.name not in (LOCKS, LIMITS):
                tar.add(path, path.name)
    return out.getvalue()


def unpacked(content: bytes, folder: Path) -> None:
    """Put what was packed into `folder`, and nothing outside it. Raises OSError, TarError."""
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        tar.extractall(folder, filter="data")


def keep_log(folder: Path, arrived: Path) -> None:
    """Append what the cell's process printed to the suite's own log."""
    log = arrived / LOG
    if log.is_file():
        with (folder / LOG).open("ab") as file, log.open("rb") as printed:
            shutil.copyfileobj(printed, file)
