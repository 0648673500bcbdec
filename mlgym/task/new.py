"""Makes a new task out of one that there is: a copy under another name, sound as it stands."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from mlgym import catalog
from mlgym.errors import ConfigError
from mlgym.task.spec import Task, load_task, task_files

_ID = re.compile(r"[a-z][a-z0-9_]*")
_TEXT = (".yaml", ".py", ".md", ".txt", ".j2", ".toml")


def new_task(name: str, like: Task, pack: Path, title: str | None = None) -> Task:
    """Copy the folder of `like` to `pack/tasks/name`; the title is `name` in words by default.

    In the copy the id, the title, the version (1 again) and paths that name the old task are
    replaced, nothing else.

    Raises:
        ConfigError: the name is no id, or taken.
        OSError: the pack's folder cannot be written.
    """
    if not _ID.fullmatch(name):
        raise ConfigError(
            f"found the id {name!r}, expected lower-case letters, digits and underscores, "
            "a letter first"
        )
    folder = pack / "tasks" / name
    taken = catalog.shelf("tasks").get(name)
    if taken is not None or folder.exists():
        raise ConfigError(f"a task {name!r} is there already: {taken or folder}")
    for relative, source in task_files(like.folder):
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(source.stat().st_mode & 0o777)
        if source.suffix in _TEXT:
            text = target.read_text(encoding="utf-8")
            target.write_text(_renamed(text, like.spec.id, name), encoding="utf-8")
    spec = folder / "task.yaml"
    words = title or name.replace("_", " ").capitalize()
    text = spec.read_text(encoding="utf-8")
    for field, value in (("id", name), ("version", "1"), ("title", _quoted(words))):
        text = re.sub(rf"^{field}:.*$", lambda _, new=f"{field}: {value}": new, text, flags=re.M)
    spec.write_text(text, encoding="utf-8")
    return load_task(folder)


def next_commands(task: Task, pack: Path) -> list[str]:
    """What an author does next, as commands of a shell in the folder that they are in."""
    name = task.spec.id
    commands = [
        f"mlgym tasks check {name}",
        f"mlgym tasks baseline {name} --seeds 3",
        f"mlgym run --task {name} --agent oracle --data mini",
    ]
    if pack.resolve() not in {root.resolve() for root in catalog.roots()}:
        commands.insert(0, f'export MLGYM_PATH="{pack.resolve()}${{MLGYM_PATH:+:$MLGYM_PATH}}"')
    return commands


def _renamed(text: str, old: str, new: str) -> str:
    """Paths and gym ids of the old task made those of the new; a word alone may mean another."""
    text = re.sub(rf"\btasks/{old}\b", f"tasks/{new}", text)
    text = re.sub(rf"\bmlgym/{old}-v\d+\b", f"mlgym/{new}-v1", text)
    return re.sub(rf"(--task |mlgym tasks \w+ ){old}\b", rf"\g<1>{new}", text)


def _quoted(words: str) -> str:
    """Words as YAML reads them back."""
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'
