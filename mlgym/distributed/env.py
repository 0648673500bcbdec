"""Many environments on many machines as one: the face of `MLGymVectorEnv` over Ray actors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from mlgym.distributed.actors import Member, Placement
from mlgym.distributed.connecting import connect
from mlgym.distributed.room import FarRoom
from mlgym.distributed.share import Wanted
from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError
from mlgym.vector.arguments import chosen_by, mode_of, seeds_for
from mlgym.vector.batching import batched
from mlgym.vector.curriculum import Sampler, round_robin
from mlgym.vector.env import Infos, MLGymVectorEnv, Texts


class RayVectorEnv(MLGymVectorEnv):
    """`num_envs` environments of a task, or of several, in Ray actors that share them evenly.

    Every call does what it does on a `MLGymVectorEnv` of the same arguments, and gives the same;
    the environments of an actor are stepped as there, in one process and one thread.

    `num_actors` is by default one for each `cpus_per_actor` CPUs of the cluster. Each is placed
    where Ray has `cpus_per_actor` CPUs and `gpus_per_actor` GPUs for it, spread over the nodes;
    GPUs are for tasks that ask for some. `address` is the cluster's, Ray's own choice where None.
    Each node makes images and data ready that it lacks, once, before its first episode.

    An actor may be lost, with its node or alone. Its episodes are void, as where a sandbox is lost;
    all others go on. Another actor takes its place, which the next resets wait for, at most
    `start_timeout_s`: after that they fail like a reset without a sandbox.

    `kwargs` and `sampler` are pickled, a copy for each actor. A sampler in a new actor begins as if
    there had been no episode.

    Raises:
        ConfigError, TaskError: like `MLGymVectorEnv`; Ray is not installed or does not answer.
        SandboxError: no place for an actor within `start_timeout_s`; images or data cannot be had.
    """

    def __init__(
        self,
        task: str | Path | Sequence[str | Path],
        num_envs: int = 1,
        *,
        num_actors: int | None = None,
        cpus_per_actor: float = 1.0,
        gpus_per_actor: float = 0.0,
        start_timeout_s: float = 120.0,
        address: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.DISABLED,
        sampler: Sampler | None = None,
        **kwargs: Any,
    ) -> None:
        if num_envs < 1:
            raise ConfigError(f"num_envs: found {num_envs}, expected at least 1")
        if num_actors is not None and not 1 <= num_actors <= num_envs:
            raise ConfigError(f"num_actors: found {num_actors}, expected 1 to {num_envs}")
        self.autoreset_mode = mode_of(autoreset_mode)
        mixed = not isinstance(task, str | Path)
        tasks = tuple(task) if mixed else (task,)
        if mixed and sampler is None:
            sampler = round_robin
        ray = connect(address)
        wanted = Wanted(tasks, self.autoreset_mode, sampler, kwargs)
        placement = Placement(cpus_per_actor, gpus_per_actor, start_timeout_s)
        actors = num_actors or _actors(ray, placement, num_envs)
        shares = np.array_split(np.arange(num_envs), actors)
        members = [
            Member(ray, placement, wanted, tuple(int(number) for number in share))
            for share in shares
        ]
        self.num_envs = num_envs
        self._far = FarRoom(members)
        self._room = self._far
        told = _started(members)
        actions: gym.Space[str] = told["action_space"]
        observations: gym.Space[str] = told["observation_space"]
        self.metadata = {**told["metadata"], "autoreset_mode": self.autoreset_mode}
        self.render_mode = told["render_mode"]
        self.single_action_space, self.single_observation_space = actions, observations
        self.action_space = batch_space(actions, num_envs)
        self.observation_space = batch_space(observations, num_envs)

    @property
    def envs(self) -> tuple[MLGymEnv, ...]:
        raise AttributeError("the environments are in Ray actors: `call` and `get_attr` reach them")

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Texts, Infos]:
        self._room.expect_idle("reset")
        seeds = seeds_for(seed, self.num_envs)
        rest = dict(options or {})
        mask = rest.pop("reset_mask", None)
        chosen = range(self.num_envs) if mask is None else chosen_by(mask, self.num_envs)
        given = None if options is None else rest
        infos: list[Infos | None] = [None] * self.num_envs
        for number, outcome in zip(chosen, self._far.reset(chosen, seeds, given), strict=True):
            infos[number] = outcome.info
        return self._room.observations(), batched(infos)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Every environment's attribute `name`, or what it returns: a copy, which was pickled."""
        self._room.expect_idle("call")
        return tuple(self._far.call(name, args, kwargs))

    def set_attr(self, name: str, values: Sequence[Any] | Any) -> None:
        several = isinstance(values, list | tuple)
        each = cast("Sequence[Any]", values) if several else [values] * self.num_envs
        if len(each) != self.num_envs:
            raise ValueError(f"values: found {len(each)}, expected {self.num_envs}")
        self._far.set_attr(name, each)

    def render(self) -> tuple[str | None, ...]:
        return tuple(self._far.call("render", (), {}))

    def close_extras(self, **kwargs: Any) -> None:
        """End every actor, and with it what it holds."""
        del kwargs
        self._room.close()


def _actors(ray: Any, placement: Placement, num_envs: int) -> int:
    """As many as the cluster has room for, and environments."""
    if placement.cpus <= 0:
        return 1
    cpus = ray.cluster_resources().get("CPU", 0.0)
    return max(1, min(num_envs, int(cpus // placement.cpus)))


def _started(members: Sequence[Member]) -> dict[str, Any]:
    """What the first tells of its environments, once all are ready."""
    for member in members:
        member.start()
    try:
        first, *_ = [member.described() for member in members]
        return first
    except BaseException:
        for member in members:
            member.kill()
        raise
