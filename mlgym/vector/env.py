"""Many environments in one process and one thread, behind Gymnasium's vector interface.

No process and no thread stands behind an environment: each step is a strand of
`mlgym.sandbox.strands`, suspended where it waits for its sandbox, and one loop resumes them all. So
commands run while others' answers are read, starts and gradings overlap, and a slow command holds
up nobody but who waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np
from gymnasium.error import AlreadyPendingCallError
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError
from mlgym.sandbox.pool import Pools
from mlgym.task.graders import Graders
from mlgym.vector.arguments import chosen_by, different_ids, find_tasks, mode_of, seeds_for
from mlgym.vector.batching import batched
from mlgym.vector.curriculum import Sampler, round_robin
from mlgym.vector.room import Room
from mlgym.vector.seat import Seat, columns

Texts = tuple[str, ...]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Infos = dict[str, Any]
Steps = tuple[Texts, Floats, Flags, Flags, Infos]
Received = tuple[NDArray[np.int64], Texts, Floats, Flags, Flags, Infos]


class MLGymVectorEnv(VectorEnv[Texts, Sequence[str], NDArray[Any]]):
    """`num_envs` environments of a task, or of several: see `mlgym.make_vec`.

    Made by `gym.make_vec("mlgym/...-v1", num_envs=64, autoreset_mode=...)`; the mode is a plain
    keyword, `AutoresetMode.DISABLED` by default, and `kwargs` are those of `MLGymEnv`. One `pool`
    of spare sandboxes is for all environments of a task. `graders` is how many may grade at once,
    as many as there are cores where None, or a `Graders` of yours, which others may share.
    Observations and actions are tuples of `num_envs` texts, rewards and flags arrays of shape
    `(num_envs,)`, infos as Gymnasium lays them out.

    Beside `step` there are `step_async` and `step_wait`, and for those who need not wait for all
    `send` and `recv`. All of them are for one thread.

    Where a sandbox or a task fails, its episode is void: the step is truncated, pays nothing, its
    info has the `exit_reason` "sandbox_error" or "task_error" and says why under
    `infrastructure_failure`. Drop that episode; the next reset replaces the sandbox. Any other
    error of one environment is raised once all asked have answered, and the others' answers can
    still be had by `step_wait` or `recv`.

    Raises:
        ConfigError, TaskError: like `MLGymEnv`. Nothing is started yet.
    """

    def __init__(
        self,
        task: str | Path | Sequence[str | Path],
        num_envs: int = 1,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.DISABLED,
        sampler: Sampler | None = None,
        pool: int = 0,
        graders: int | Graders | None = None,
        **kwargs: Any,
    ) -> None:
        if num_envs < 1:
            raise ConfigError(f"num_envs: found {num_envs}, expected at least 1")
        self.autoreset_mode = mode_of(autoreset_mode)
        mixed = not isinstance(task, str | Path)
        found = find_tasks(task if mixed else [task])
        if mixed and sampler is None:
            sampler = round_robin

        self._pools = Pools(pool, many=True)
        self._graders = graders if isinstance(graders, Graders) else Graders(graders)
        self._own_graders = self._graders is not graders

        def make(name: str) -> MLGymEnv:
            env = MLGymEnv(found[name], **kwargs)
            env.laboratory.pools, env.laboratory.graders = self._pools, self._graders
            return env

        self.num_envs = num_envs
        self._seats = [Seat(number, make, tuple(found), sampler) for number in range(num_envs)]
        self._room = Room(self._seats)
        first = self._seats[0].env
        self.metadata = {**first.metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = first.render_mode
        self.single_action_space = first.action_space
        self.single_observation_space = first.observation_space
        self.action_space = batch_space(first.action_space, num_envs)
        self.observation_space = batch_space(first.observation_space, num_envs)

    @property
    def envs(self) -> tuple[MLGymEnv, ...]:
        """The environments as they are now. One that changes its task becomes another."""
        return tuple(seat.env for seat in self._seats)

    @property
    def np_random(self) -> tuple[np.random.Generator, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.get_attr("np_random")

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.get_attr("np_random_seed")

    # Gymnasium's interface --------------------------------------------------------------------

    def reset(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Texts, Infos]:
        """Reset all, or those of `options["reset_mask"]`, a boolean array of shape `(num_envs,)`.

        A `seed` that is a number gives environment i `seed + i`. The first observations come back,
        of those not reset the last ones; infos hold those that were reset.

        Raises:
            ConfigError, SandboxError, TaskError: like `MLGymEnv.reset`, once all have been tried.
            AlreadyPendingCallError: steps are under way.
            ValueError, TypeError: as many seeds as environments are wanted, and a proper mask.
        """
        self._room.expect_idle("reset")
        seeds = seeds_for(seed, self.num_envs)
        rest = dict(options or {})
        mask = rest.pop("reset_mask", None)
        chosen = range(self.num_envs) if mask is None else chosen_by(mask, self.num_envs)
        given = None if options is None else rest
        jobs = [partial(self._seats[number].reset, seeds[number], given) for number in chosen]
        infos: list[Infos | None] = [None] * self.num_envs
        for number, outcome in zip(chosen, self._room.gather(jobs), strict=True):
            infos[number] = outcome.info
        return self._room.observations(), batched(infos)

    def step(self, actions: Sequence[str], mask: Flags | None = None) -> Steps:
        """`step_async` and `step_wait`."""
        self.step_async(actions, mask)
        return self.step_wait()

    def step_async(self, actions: Sequence[str], mask: Flags | None = None) -> None:
        """Begin a step of every environment, or of those where `mask`, of booleans, is true.

        The action of one that is left out may be anything.

        Raises:
            AlreadyPendingCallError: steps are under way.
            ResetNeeded: the mode is disabled, and one that is to step has ended.
            ValueError, TypeError: not `num_envs` actions, or no proper mask.
        """
        self._room.expect_idle("step_async")
        if len(actions) != self.num_envs:
            raise ValueError(f"actions: found {len(actions)}, expected {self.num_envs}")
        chosen = range(self.num_envs) if mask is None else chosen_by(mask, self.num_envs)
        self._room.begin([actions[number] for number in chosen], chosen, self.autoreset_mode)

    def step_wait(self, timeout: float | None = None) -> Steps:
        """The answers of all that were asked, once the last is there.

        One that was left out has its last observation, a reward of 0, flags that are false, and no
        info.

        Raises:
            NoAsyncCallError: nothing was asked.
            TimeoutError: not all answered within `timeout` seconds; they go on.
        """
        self._room.run(self.num_envs, timeout)
        return self._room.observations(), *columns(self._room.taken(range(self.num_envs)))

    def send(self, actions: Sequence[str], env_ids: Sequence[int] | NDArray[np.int64]) -> None:
        """Begin a step of each environment in `env_ids`, whatever the others do.

        Raises:
            AlreadyPendingCallError: one of them has not answered, or its answer was not received.
            ResetNeeded: the mode is disabled, and one of them has ended.
            ValueError: as many actions are wanted as ids, and each id once.
        """
        chosen = self._free("send", env_ids, len(actions))
        self._room.begin(actions, chosen, self.autoreset_mode)

    def send_reset(
        self,
        env_ids: Sequence[int] | NDArray[np.int64],
        seeds: Sequence[int | None] | None = None,
    ) -> None:
        """Begin a reset of each environment in `env_ids`, whatever the others do.

        `recv` gives the first observation, with a reward of 0 and flags that are false. One that
        cannot be reset says why in its info, under `infrastructure_failure`.

        Raises:
            AlreadyPendingCallError: one of them has not answered, or its answer was not received.
            ValueError: each id once, and as many seeds as ids, if any.
        """
        given = [None] * len(env_ids) if seeds is None else seeds
        self._room.begin_anew(self._free("send_reset", env_ids, len(given)), given)

    def _free(self, what: str, env_ids: Sequence[int] | NDArray[np.int64], count: int) -> list[int]:
        """The ids, of environments that have nothing to do."""
        chosen = different_ids(env_ids, count, self.num_envs)
        pending = set(self._room.asked()).intersection(chosen)
        if pending:
            words = f"{what}: steps of {sorted(pending)} are under way"
            raise AlreadyPendingCallError(words, "step")
        return chosen

    def recv(self, min_ready: int = 1, timeout: float | None = None) -> Received:
        """What has been answered by now, waiting until `min_ready` environments have.

        Fewer are enough where fewer were asked. The first of the returned is `env_ids`, an
        ascending array of shape `(n,)`; all others are of that length too, in that order.

        Raises:
            NoAsyncCallError: nothing was asked.
            TimeoutError: fewer answered within `timeout` seconds; they go on.
        """
        self._room.run(min_ready, timeout)
        done = self._room.answered()
        outcomes = self._room.taken(done)
        texts = tuple(outcome.observation for outcome in outcomes if outcome is not None)
        return np.array(done, dtype=np.int64), texts, *columns(outcomes)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Every environment's attribute `name`, or what it returns where it can be called."""
        self._room.expect_idle("call")
        jobs = [partial(_called, seat.env, name, args, kwargs) for seat in self._seats]
        return tuple(self._room.gather(jobs))

    def get_attr(self, name: str) -> tuple[Any, ...]:
        return self.call(name)

    def set_attr(self, name: str, values: Sequence[Any] | Any) -> None:
        """Set an attribute of all, to one value or, where it is a list or tuple, to each its own.

        Raises ValueError: not as many values as environments.
        """
        several = isinstance(values, list | tuple)
        each = cast("Sequence[Any]", values) if several else [values] * self.num_envs
        if len(each) != self.num_envs:
            raise ValueError(f"values: found {len(each)}, expected {self.num_envs}")
        for seat, value in zip(self._seats, each, strict=True):
            seat.env.set_wrapper_attr(name, value)

    def render(self) -> tuple[str | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return tuple(seat.env.render() for seat in self._seats)

    def close_extras(self, **kwargs: Any) -> None:
        """Release every sandbox, steps under way included."""
        del kwargs
        self._pools.close()
        self._room.close()
        if self._own_graders:
            self._graders.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def make_vec(
    tasks: Sequence[str | Path],
    num_envs: int = 1,
    sampler: Sampler = round_robin,
    **kwargs: Any,
) -> MLGymVectorEnv:
    """Environments of several tasks as one vector; `sampler` picks the task at each reset.

    `tasks` are names of the catalogue, ids of Gymnasium's or folders. Further arguments are those
    of `MLGymVectorEnv`. Each info names its `task`.

    Raises ConfigError, TaskError: an unknown name, a bad value, a broken task.
    """
    return MLGymVectorEnv(tuple(tasks), num_envs, sampler=sampler, **kwargs)


def _called(env: MLGymEnv, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    found = env.get_wrapper_attr(name)
    return found(*args, **kwargs) if callable(found) else found
