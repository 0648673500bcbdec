"""Prepared data: where it lies, how it is made, whether it is still what was made.

    $MLGYM_HOME/data/<id>-v<version>-<hash>/<profile>-<data seed>/{public,private,manifest.json}

The hash is over what the data follows from, so that a changed script never meets old data. A
preparation holds a file lock, works under a temporary name and renames at the end.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from mlgym import catalog
from mlgym.errors import ConfigError, SandboxError, TaskError
from mlgym.sandbox.scratch import scratch
from mlgym.task.manifest import (
    MANIFEST,
    PARTS,
    SALT,
    Manifest,
    differences,
    file_sum,
    read_manifest,
    settle,
    sums,
)
from mlgym.task.sources import Log, gather
from mlgym.task.spec import Task

_ELSEWHERE = ("workspace/", "grader/", "solution/", "task.yaml", "README.md")
_RUNNER = Path(__file__).with_name("data_runner.py")
_TAIL = 20  # lines of a failed script's output that its error shows


@dataclass(frozen=True, slots=True)
class Prepared:
    """Data of one (task, profile, data seed): `public` for the agent, `private` for the grader.

    Both are host folders to be mounted read-only. `private` also holds the file `salt`.
    """

    public: Path
    private: Path
    profile: str
    data_seed: int


def choose_profile(task: Task, wanted: str, data_seed: int) -> str:
    """The profile that `wanted` (auto, mini or full) stands for here and now.

    `auto` is `full` where that has been prepared, else `mini`.

    Raises:
        ConfigError: the task has no such profile, or the seed is negative.
    """
    known = sorted(task.spec.profiles)
    if data_seed < 0:
        raise ConfigError(f"data seed: found {data_seed}, expected 0 or a positive number")
    if wanted == "auto":
        if len(known) == 1 or find_prepared(task, "full", data_seed) is None:
            return "mini" if "mini" in known else "full"
        return "full"
    if wanted not in known:
        raise ConfigError(
            f"{task.spec.id} has no data profile {wanted!r}; it has {', '.join(known)}. "
            f"`mlgym tasks show {task.spec.id}` describes them."
        )
    return wanted


def find_prepared(task: Task, profile: str, data_seed: int) -> Prepared | None:
    """The data if it has been prepared. Looks only whether it is there (`verify` reads it)."""
    folder = _folder(task) / f"{profile}-{data_seed}"
    present = (folder / MANIFEST).is_file() and all((folder / part).is_dir() for part in PARTS)
    return Prepared(folder / "public", folder / "private", profile, data_seed) if present else None


def all_prepared(task: Task) -> list[Prepared]:
    """All data of this task as it stands now, by profile and data seed."""
    found: list[Prepared] = []
    for profile in sorted(task.spec.profiles):
        names = [path.name.removeprefix(f"{profile}-") for path in _folder(task).glob("*-*")]
        for seed in sorted(int(name) for name in names if name.isdecimal()):
            prepared = find_prepared(task, profile, seed)
            found += [prepared] if prepared is not None else []
    return found


def missing_data(task: Task, profile: str, data_seed: int) -> ConfigError:
    """The error for data that has not been prepared, with the command that prepares it."""
    seed = f" --data-seed {data_seed}" if data_seed else ""
    return ConfigError(
        f"{task.spec.id}: its {profile} data has not been prepared. "
        f"`mlgym data prepare {task.spec.id} --data {profile}{seed}` does it."
    )


def prepare(
    task: Task, profile: str, data_seed: int, python: Path | None, log: Log = lambda _: None
) -> Prepared:
    """Prepare the data unless it is there, and return it.

    `python` is the interpreter of the image's environment, which the task's script runs under;
    a task without a script needs none. `log` gets a line at a time.

    Raises:
        ConfigError: no such profile, or a file the user must place is missing.
        TaskError: the script failed, or a source is not the pinned one.
        SandboxError: a source cannot be fetched, or the cache cannot be written.
    """
    choose_profile(task, profile, data_seed)
    folder = _folder(task)
    final = folder / f"{profile}-{data_seed}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{final.name}.lock"):
            found = find_prepared(task, profile, data_seed)
            if found is not None:
                return found
            for left_over in folder.glob(f".{final.name}.new-*"):
                shutil.rmtree(left_over)  # a preparation that was killed
            log(f"preparing the {profile} data of {task.spec.id} (data seed {data_seed})")
            new = Path(tempfile.mkdtemp(prefix=f".{final.name}.new-", dir=folder))
            try:
                build(task, profile, data_seed, python, new, log)
                if final.exists():
                    shutil.rmtree(final)  # damaged: find_prepared did not take it
                new.rename(final)
            finally:
                shutil.rmtree(new, ignore_errors=True)
    except OSError as error:
        raise SandboxError(f"data cannot be prepared under {folder}: {error}") from error
    return Prepared(final / "public", final / "private", profile, data_seed)


def build(
    task: Task, profile: str, data_seed: int, python: Path | None, folder: Path, log: Log
) -> Manifest:
    """Make the data in the empty `folder`, with its manifest. Raises like `prepare`."""
    folder.chmod(0o700)
    for part in PARTS:
        (folder / part).mkdir()
    if task.spec.data is not None:
        if python is None:
            raise TaskError(f"{task.spec.id}: its data script needs an interpreter")
        with scratch("sources") as sources:
            gather(task, profile, Path(sources), log)
            _run_script(task, profile, data_seed, python, folder, Path(sources), log)
    if (folder / "private" / SALT).exists():
        raise TaskError(f"{task.folder / str(task.spec.data)}: private/{SALT} is MLGym's own")
    (folder / "private" / SALT).write_text(secrets.token_hex(32), encoding="ascii")
    settle(folder)
    salt = file_sum(folder / "private" / SALT)
    spec = task.spec
    manifest = Manifest(spec.id, spec.version, profile, data_seed, sums(folder), salt)
    manifest.write(folder)
    return manifest


def verify(prepared: Prepared) -> list[str]:
    """What is wrong with prepared data by its checksums: one line a problem, none if sound."""
    folder = prepared.public.parent
    try:
        manifest = read_manifest(folder)
        problems = differences(manifest.files, sums(folder))
        if file_sum(prepared.private / SALT) != manifest.salt:
            problems.append(f"private/{SALT}: was changed")
    except (OSError, ValueError, TaskError) as error:
        return [str(error)]
    return problems


def data_digest(task: Task) -> str:
    """A short hash over all that the task's data follows from, but for profile and seed."""
    digest = hashlib.sha256()
    for name in task.files:
        if not name.startswith(_ELSEWHERE):
            digest.update(f"{name}\0{file_sum(task.folder / name)}\n".encode())
    for source in task.spec.sources:
        pinned = source.model_dump_json(exclude={"hint"}, exclude_defaults=True)
        digest.update(f"{pinned}\n".encode())
    return digest.hexdigest()[:12]


def _folder(task: Task) -> Path:
    """The folder of all data that this task's script and sources give."""
    name = f"{task.spec.id}-v{task.spec.version}-{data_digest(task)}"
    return catalog.home() / "data" / name


def _run_script(
    task: Task,
    profile: str,
    data_seed: int,
    python: Path,
    folder: Path,
    sources: Path,
    log: Log,
) -> None:
    script = task.folder / str(task.spec.data)
    # -P -s and a bare environment: nothing of the host's own Python reaches the script.
    command = [str(python), "-B", "-P", "-s", str(_RUNNER), str(script), profile, str(data_seed)]
    command += [str(folder / part) for part in PARTS]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "MLGYM_SOURCES": str(sources),
    }
    tail: deque[str] = deque(maxlen=_TAIL)
    with subprocess.Popen(
        command,
        cwd=sources,
        env=environment,
        stdin=subprocess.PIPE,  # its end tells the script that we are gone
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                tail.append(line.rstrip("\n"))
                log(tail[-1])
        except BaseException:  # interrupted: leave nothing running
            process.kill()
            raise
    if process.returncode != 0:
        raise TaskError(
            f"{script}: prepare({profile!r}, {data_seed}, ...) failed with exit code "
            f"{process.returncode}:\n" + "\n".join(tail)
        )
