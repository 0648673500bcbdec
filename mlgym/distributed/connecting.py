"""The way to Ray: the library itself, which is an extra, and a cluster that answers."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mlgym.errors import ConfigError


def ray_library() -> Any:
    """The module `ray`. Raises ConfigError where the extra is not installed."""
    try:
        return import_module("ray")
    except ImportError as error:
        raise ConfigError(
            f"Ray is missing ({error}): `pip install 'mlgym[ray]'` installs it"
        ) from None


def connect(address: str | None) -> Any:
    """The module `ray`, connected: to the cluster at `address`, or as this process is already.

    Without an address it is Ray's own choice: $RAY_ADDRESS, else a cluster on this machine alone.

    Raises:
        ConfigError: the extra is not installed, or no cluster answers there.
    """
    ray = ray_library()
    if ray.is_initialized():
        return ray
    try:
        # What actors print is theirs: a trainer's output is not for it.
        ray.init(address=address, log_to_driver=False, logging_level="warning")
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise ConfigError(f"no Ray cluster answers at {address!r}: {error}") from error
    return ray


def largest_node(ray: Any) -> float:
    """The CPUs of the node that has most."""
    return max((one["Resources"].get("CPU", 0.0) for one in alive(ray)), default=0.0)


def alive(ray: Any) -> list[dict[str, Any]]:
    """What Ray tells of each node that lives."""
    return [one for one in ray.nodes() if one["Alive"]]
