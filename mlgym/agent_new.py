"""Makes a new agent out of one that there is: a copy under another name that runs as it stands."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from mlgym import catalog
from mlgym.agent_loader import FoundAgent, find_agent
from mlgym.errors import ConfigError

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def new_agent(name: str, like: FoundAgent, out: Path) -> FoundAgent:
    """Copy the folder of `like` to `out/name`; its class is called `name` in capitals.

    Raises:
        ConfigError: the name is no name, or taken; or `like` is no folder with a class of its own.
        OSError: the folder cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"found the name {name!r}, expected lower-case letters, digits and underscores, "
            "a letter first"
        )
    file, _, old = like.spec.class_.partition(":")
    if like.folder is None or "/" in file or not file.endswith(".py"):
        raise ConfigError(f"{like.spec.name} has no file with a class to copy")
    folder = out / name
    if folder.exists() or name in catalog.shelf("agents"):
        raise ConfigError(
            f"an agent {name!r} is there already: {catalog.shelf('agents').get(name, folder)}"
        )
    shutil.copytree(like.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    new = "".join(word.capitalize() for word in name.split("_"))
    code = folder / file
    code.write_text(re.sub(rf"\b{old}\b", new, code.read_text("utf-8")), "utf-8")
    spec = folder / "agent.yaml"
    text = spec.read_text("utf-8")
    for field, value in (
        ("name", name),
        ("description", f"Begun as a copy of {like.spec.name}"),
        ("class", f"{file}:{new}"),
    ):
        text = re.sub(rf"^{field}:.*$", lambda _, new=f"{field}: {value}": new, text, flags=re.M)
    spec.write_text(text, "utf-8")
    return find_agent(str(folder.resolve()))


def next_command(made: FoundAgent, out: Path) -> str:
    """How the new agent is run from the folder one is in."""
    folder = out / made.spec.name
    where = str(folder) if folder.is_absolute() else f"./{folder}"
    model = " --model gpt-4o" if made.spec.needs_model else ""
    return f"mlgym run --task house_price --agent {where}{model}"
