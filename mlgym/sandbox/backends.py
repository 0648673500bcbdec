"""Resolves the name of a sandbox backend: the built-in two, and entry points of others."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import cast

from mlgym.errors import ConfigError, unknown_name
from mlgym.sandbox.base import Backend

GROUP = "mlgym.sandboxes"
BUILTIN = ("bubblewrap", "docker")


def backend_names() -> list[str]:
    """The backends that can be asked for by name, besides `auto`."""
    return sorted({*BUILTIN, *(point.name for point in entry_points(group=GROUP))})


def load_backend(name: str, runtime: str | None = None) -> Backend:
    """The backend `name`. `runtime` names an OCI runtime and is docker's alone.

    Raises:
        ConfigError: no backend of that name, or a runtime for one that has none.
    """
    if runtime is not None and name != "docker":
        raise ConfigError(f"--runtime {runtime} goes with --sandbox docker, not with {name}")
    if name == "bubblewrap":
        from mlgym.sandbox.bubblewrap import BubblewrapSandbox

        return BubblewrapSandbox
    if name == "docker":
        from functools import partial

        from mlgym.sandbox.docker import DockerSandbox

        return partial(DockerSandbox, runtime=runtime) if runtime else DockerSandbox
    for point in entry_points(group=GROUP):
        if point.name == name:
            return cast(Backend, point.load())
    raise unknown_name("sandbox", name, ["auto", *backend_names()], "mlgym doctor")


def choose_backend(wanted: str, gpus: int) -> str:
    """The backend's name for `wanted`; `auto` is bubblewrap, docker where GPUs are asked for.

    Raises:
        ConfigError: bubblewrap was asked for by name and the task needs GPUs.
    """
    if wanted == "auto":
        return "docker" if gpus else "bubblewrap"
    if wanted == "bubblewrap" and gpus:
        raise ConfigError("the bubblewrap sandbox offers no GPUs: use --sandbox docker")
    return wanted
