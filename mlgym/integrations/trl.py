"""MLGym under TRL's `GRPOTrainer`: the tools are an environment's methods, the reward its return.

    factory = environment_factory("battle_of_sexes", max_steps=8, tools=["bash", "submit"])
    GRPOTrainer(
        model,
        reward_funcs=reward_return,
        train_dataset=dataset("battle_of_sexes", 64, max_steps=8),
        environment_factory=factory,
        ...
    )

TRL resets an environment for each completion, calls the methods that the model names, and asks for
the rewards in the end. An episode that the model did not end is ended then, and graded by the rule.
"""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError, SandboxError, TaskError
from mlgym.integrations.extras import library, need
from mlgym.integrations.methods import method_of
from mlgym.integrations.opening import SYSTEM, in_text, told
from mlgym.task.spec import Task
from mlgym.tools.base import ActionError
from mlgym.tools.registry import action_of
from mlgym.types import ExitReason

_log = logging.getLogger(__name__)


def _unheard(name: str, value: Any) -> None:
    """Where nobody logs."""


Made = Callable[[int], MLGymEnv]
"""An environment of that data seed."""


class Environment:
    """One completion's episode, as TRL wants it: every public method but `reset` is a tool.

    Those methods are of the subclass that `environment_factory` makes. Everything else is a
    property: TRL takes functions only.
    """

    def __init__(self, make: Made, data_seed: int) -> None:
        self._make, self._default = make, data_seed
        self._env: MLGymEnv | None = None
        self._lost, self._steps = "", 0
        self._held = ExitStack()
        # TRL keeps its environments and never closes them.
        weakref.finalize(self, self._held.close)

    def reset(self, **row: Any) -> str | None:
        """Begin an episode; the row's `seed` and `data_seed` are used where it has them.

        Returns the brief for TRL to append to the prompt, None where that holds it already.

        Raises:
            ConfigError, TaskError: the data cannot be had.
            SandboxError: no sandbox can be had, not at a second try either.
        """
        self._lost, self._steps = "", 0
        wanted = row.get("data_seed")
        wanted = self._default if wanted is None else int(wanted)
        if self._env is None or self._env.laboratory.data_seed != wanted:
            self._renew(wanted)
        seed = row.get("seed")
        try:
            self._begin(seed)
        except SandboxError as error:
            _log.warning("a sandbox was lost between two episodes: %s", error)
            self._renew(wanted)
            self._begin(seed)
        brief = told(self._playing)
        return None if brief in _text(row.get("prompt")) else brief

    @property
    def env(self) -> MLGymEnv | None:
        """The environment behind it, None before the first reset."""
        return self._env

    @property
    def exit_reason(self) -> ExitReason | None:
        """Why the episode ended, None while it runs."""
        return None if self._env is None or not self._env.started else self._env.exit_reason

    @property
    def steps(self) -> int:
        """How many actions the model has taken in the episode."""
        return self._steps

    @property
    def episode_return(self) -> float | None:
        """What the episode has paid, None where it is void: that teaches nothing."""
        if self._lost or self._env is None or not self._env.started:
            return None
        void = self._env.status == "infrastructure_failure"
        return None if void else self._env.episode.total_reward

    @property
    def _playing(self) -> MLGymEnv:
        if self._env is None:
            raise SandboxError("the environment was not reset")
        return self._env

    def _renew(self, data_seed: int) -> None:
        self._held.close()
        self._env = self._make(data_seed)
        self._held.callback(self._env.close)

    def _begin(self, seed: Any) -> None:
        self._playing.reset(seed=None if seed is None else int(seed))

    def _call(self, name: str, given: Mapping[str, Any]) -> str:
        """Run a tool. What the model did wrong is an answer, and so is that nothing goes on."""
        if self._lost:
            return self._lost
        if self.exit_reason is not None:
            return f"The episode is over ({self.exit_reason}): nothing was done."
        try:
            action = action_of(name, given)
            self._steps += 1
            return self._playing.step(action)[0]
        except ActionError as error:
            return str(error)
        except (SandboxError, TaskError) as error:
            return self._void(error)

    def _end(self, reason: ExitReason) -> None:
        """End the episode where it still runs; it is graded by the rule."""
        if self._lost or self._env is None or self.exit_reason is not None:
            return
        try:
            self._env.finish(reason)
        except (SandboxError, TaskError) as error:
            self._void(error)

    def _void(self, error: Exception) -> str:
        _log.warning("an episode is void, and its completion gets no reward: %s", error)
        self._lost = f"The episode is lost: {error}"
        return self._lost


def environment_factory(
    task: str | Path | Task, *, tools: Sequence[str] | None = None, **settings: Any
) -> Callable[[], Environment]:
    """What `GRPOTrainer(environment_factory=...)` takes; `settings` are `MLGymEnv`'s.

    `tools` names those that the model may call: all but `view_image` where None. Nothing is started
    before the first reset.

    Raises:
        ConfigError, TaskError: an unknown name, a bad value, a broken task; TRL is not installed.
    """
    need("trl", "trl")
    data_seed = int(settings.pop("data_seed", 0))
    first = MLGymEnv(task, tools=tools, data_seed=data_seed, **settings)
    shown = in_text(first.tools)
    names = [spec.name for spec in shown]
    made = type("MLGym", (Environment,), {spec.name: method_of(spec) for spec in shown})

    def make(wanted: int) -> MLGymEnv:
        return MLGymEnv(first.task, tools=names, data_seed=wanted, **settings)

    return lambda: cast(Environment, made(make, data_seed))


def reward_return(
    completions: Sequence[Any],
    environments: Sequence[Any],
    log_metric: Callable[[str, float], None] = _unheard,
    log_extra: Callable[[str, list[Any]], None] = _unheard,
    **_: Any,
) -> list[float | None]:
    """A reward function of TRL's: each episode's return. None for one that is void, or no MLGym's.

    Logs the metrics `mlgym/scored`, `mlgym/void` (parts of the completions) and `mlgym/steps`
    (actions, on average), and the column `exit_reason` of the completions.
    """
    played = [one if isinstance(one, Environment) else None for one in environments]
    # Gradings run in sandboxes of their own: several take hardly longer than one.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(_end, played, completions))
    returns = [None if one is None else one.episode_return for one in played]
    ours = [one for one in played if one is not None]
    if ours:
        envs = [one.env for one in ours if one.env is not None and one.env.started]
        log_metric("mlgym/scored", sum(env.score is not None for env in envs) / len(ours))
        log_metric("mlgym/void", sum(one.episode_return is None for one in ours) / len(ours))
        log_metric("mlgym/steps", sum(one.steps for one in ours) / len(ours))
        log_extra("exit_reason", [None if one is None else _ended(one) for one in played])
    return returns


def dataset(
    tasks: str | Path | Task | Sequence[str | Path | Task],
    episodes: int = 64,
    *,
    seed: int = 0,
    data_seeds: Sequence[int] = (0,),
    system: str = SYSTEM,
    **settings: Any,
) -> Any:
    """A `datasets.Dataset` of `episodes` prompts with the brief; `settings` as for the factory.

    Its columns are `prompt`, `seed` (counted from `seed`) and `data_seed`, taken from `data_seeds`
    in turn: those but 0 are other data, which teach nothing about the data that runs are compared
    on. With a list of tasks there is a column `environment` too, the task's name, by which TRL
    chooses from a mapping of factories.

    Raises:
        ConfigError, TaskError: as `environment_factory`.
    """
    several = isinstance(tasks, Sequence) and not isinstance(tasks, str)
    wanted = tasks if isinstance(tasks, Sequence) and not isinstance(tasks, str) else [tasks]
    if not wanted or not data_seeds or episodes < 1:
        raise ConfigError("a dataset needs a task, a data seed and at least 1 episode")
    envs = [MLGymEnv(task, **settings) for task in wanted]
    rows: list[dict[str, Any]] = []
    for number in range(episodes):
        env = envs[number % len(envs)]
        said = [
            {"role": "system", "content": system},
            {"role": "user", "content": told(env)},
        ]
        row: dict[str, Any] = {"prompt": said, "seed": seed + number}
        row["data_seed"] = data_seeds[number // len(envs) % len(data_seeds)]
        rows.append({**row, "environment": env.task.spec.id} if several else row)
    return library("trl", "datasets").Dataset.from_list(rows)


def _text(prompt: Any) -> str:
    """All that a prompt says, be it plain, messages, or messages of parts."""
    if isinstance(prompt, Mapping):
        found = cast("Mapping[str, Any]", prompt)
        return _text(found.get("content") or found.get("text"))
    if isinstance(prompt, list):
        return "\n".join(_text(part) for part in cast("list[Any]", prompt))
    return str(prompt or "")


def _reason(completion: Any) -> ExitReason:
    """Why the model's turn ended: it called nothing, or no room was left to go on."""
    said = cast("list[Mapping[str, Any]]", completion if isinstance(completion, list) else [])
    cut = bool(said) and bool(said[-1].get("tool_calls") or said[-1].get("role") == "tool")
    return ExitReason.TOKEN_LIMIT if cut else ExitReason.FORMAT_ERRORS


def _end(environment: Environment | None, completion: Any) -> None:
    if environment is not None:
        environment._end(_reason(completion))  # pyright: ignore[reportPrivateUsage] - no tool


def _ended(environment: Environment) -> str | None:
    """The column's word."""
    if environment.episode_return is None:
        return "void"
    return None if environment.exit_reason is None else str(environment.exit_reason)
