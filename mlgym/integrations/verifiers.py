"""MLGym under verifiers (its interface `verifiers.v1`): a taskset, and the harness that plays it.

    vf-eval mlgym-env --env.taskset.tasks '["battle_of_sexes"]' --env.taskset.max-steps 10 -r 4

The taskset's rows say which episode to play; the harness plays it through `mlgym.rollout`, every
model call by way of verifiers, so that its traces hold each turn; the reward is the episode's
return. Commands run in MLGym's own sandboxes on this machine, each episode in a thread of its own.
What the infrastructure broke has no reward: its trace is not `ok`, and `--resume` plays it again.

verifiers finds what it calls plugins by the name of a top-level module: `mlgym_env`, a package of
three lines (`examples/verifiers_mlgym`). `load_environment` works without it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError
from mlgym.integrations.extras import library
from mlgym.integrations.line import Line
from mlgym.integrations.opening import SYSTEM, in_text, told
from mlgym.integrations.player import Player
from mlgym.rollout import Outcome, rollout
from mlgym.types import ExitReason

vf = library("verifiers", "verifiers.v1")

__all__ = ["MLGymEnvironment", "MLGymHarness", "MLGymTaskset", "load_environment"]

PLUGIN = "mlgym_env"
_GIVEN = {"data", "sandbox", "reward", "max_steps", "tools"}
"""What a row, a taskset and `load_environment` hand on to `MLGymEnv`."""


class MLGymState(vf.State):
    """What became of an episode. `total_reward` is None until one was played to its end."""

    total_reward: float | None = None
    exit_reason: str = ""
    steps: int = 0
    normalized: float | None = None


class MLGymData(vf.TaskData):
    """Which episode to play: `MLGymEnv`'s arguments, and the seed of its reset."""

    mlgym_task: str
    seed: int = 0
    data_seed: int = 0
    data: str = "auto"
    sandbox: str = "auto"
    reward: str = "improvement"
    max_steps: int | None = None
    tools: list[str] | None = None


class MLGymTask(vf.Task[MLGymData, MLGymState, vf.TaskConfig]):
    """Scores a trace by what its episode paid."""

    @vf.reward(weight=1.0)
    async def episode_return(self, trace: Any) -> float:
        if trace.state.total_reward is None:
            raise ValueError("no episode was played: --env.agent.harness.id mlgym-env plays them")
        return float(trace.state.total_reward)

    @vf.metric
    async def played(self, trace: Any) -> dict[str, float]:
        state = trace.state
        found = {"steps": float(state.steps), "scored": float(state.normalized is not None)}
        return found if state.normalized is None else {**found, "score": state.normalized}


class MLGymConfig(vf.TasksetConfig):
    """`--env.taskset.*`. Each task is played with every data seed and `seeds` seeds from 0 on.

    `data`, `sandbox`, `reward`, `max_steps` and `tools` are `MLGymEnv`'s. Of all data seeds only 0
    is comparable between runs; train on others.
    """

    tasks: list[str] = ["battle_of_sexes"]  # noqa: RUF012 - pydantic copies it
    seeds: int = 1
    data_seeds: list[int] = [0]  # noqa: RUF012
    data: str = "auto"
    sandbox: str = "auto"
    reward: str = "improvement"
    max_steps: int | None = None
    tools: list[str] | None = None


class MLGymTaskset(vf.Taskset[MLGymTask, MLGymConfig]):
    """One row for each task, data seed and seed. Raises ConfigError, TaskError out of `load`."""

    def load(self) -> list[MLGymTask]:
        config = self.config
        if not config.tasks or not config.data_seeds or config.seeds < 1:
            raise ConfigError("a taskset needs a task, a data seed and at least 1 seed")
        rows: list[MLGymTask] = []
        for name in config.tasks:
            for data_seed in config.data_seeds:
                given = config.model_dump(include=_GIVEN)
                env = MLGymEnv(name, data_seed=data_seed, **given)
                shared = {
                    **given,
                    "data": env.profile,
                    "tools": [tool.name for tool in in_text(env.tools)],
                    "mlgym_task": name,
                    "data_seed": data_seed,
                    "system_prompt": SYSTEM,
                    "prompt": told(env),
                }
                for seed in range(config.seeds):
                    title = f"{env.task.spec.id}/{data_seed}/{seed}"
                    rows.append(MLGymTask(MLGymData(name=title, seed=seed, **shared), config.task))
        return rows


class MLGymHarnessConfig(vf.HarnessConfig):
    """`--env.agent.harness.*`.

    `max_format_errors` replies in a row without a usable call end an episode; an observation is cut
    to `longest_observation` characters, head and tail.
    """

    max_format_errors: int = 3
    longest_observation: int = 20_000


class MLGymHarness(vf.Harness[MLGymHarnessConfig]):
    """Plays a row's episode in this process, its steps in a thread of its own."""

    APPENDS_SYSTEM_PROMPT = True
    # What the model writes runs in MLGym's sandboxes, never in verifiers' runtime.
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(
        self,
        ctx: Any,
        trace: Any,
        runtime: Any,
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],
        data: Any,
    ) -> Any:
        if not isinstance(data, MLGymData):
            raise TypeError(
                f"the harness {PLUGIN} plays its own taskset, not {type(data).__name__}"
            )
        if not isinstance(trace.state, MLGymState) or runtime.type != "subprocess":
            raise ValueError("MLGym plays on this machine: --env.agent.runtime.type subprocess")
        del mcp_urls
        system, prompt = self.resolve_text_prompt(data)
        said = [("system", system), ("user", prompt)]
        opening = [{"role": role, "content": text} for role, text in said if text]
        line = Line(asyncio.get_running_loop(), endpoint, secret, ctx.model, trace)
        limits = self.config.max_format_errors, self.config.longest_observation
        player = Player(line.ask, opening, *limits)
        pool = ThreadPoolExecutor(1, "mlgym")
        playing = asyncio.get_running_loop().run_in_executor(pool, _play, data, player)
        try:
            outcome = await asyncio.shield(playing)
        except asyncio.CancelledError:
            # A time limit: the step that runs is waited for, and what is there is graded.
            line.hang_up()
            _tell(trace, await playing)
            raise
        finally:
            pool.shutdown(wait=False)
            await line.close()
        _tell(trace, outcome)
        if outcome.status == "infrastructure_failure":
            kind = vf.TaskError if outcome.exit_reason is ExitReason.TASK_ERROR else vf.SandboxError
            if outcome.exit_reason is ExitReason.MODEL_ERROR:
                # verifiers puts the error of its own request in the place of this one.
                kind = vf.HarnessError
            raise kind(f"the episode is void: {outcome.error}")
        trace.stop(str(outcome.exit_reason))
        return vf.ProgramResult(exit_code=0, stdout="", stderr="")


class MLGymSeats(vf.EnvConfig):
    """`--env.*`: one seat, whose runtime is this machine, where MLGym's sandboxes are."""

    agent: vf.AgentConfig = vf.AgentConfig(  # pyright: ignore[reportInvalidTypeForm, reportUnknownMemberType] - see `library`
        runtime=vf.SubprocessConfig()
    )


class MLGymEnvironment(vf.Env[MLGymSeats]):
    """One agent plays one row."""

    async def run(self, task: Any, agents: Any) -> None:
        await agents.agent.run(task)


def load_environment(
    tasks: str | Sequence[str] = ("battle_of_sexes",),
    *,
    seeds: int = 1,
    data_seeds: Sequence[int] = (0,),
    max_format_errors: int = 3,
    **settings: Any,
) -> Any:
    """An environment of verifiers (`vf.Env`) over any tasks of MLGym's, by name or by folder.

    `settings` are `data`, `sandbox`, `reward`, `max_steps` and `tools`, see `MLGymEnv`.

    Raises:
        ConfigError: an unknown setting.
    """
    unknown = settings.keys() - _GIVEN
    if unknown:
        raise ConfigError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(_GIVEN)}")
    # Where the package is not installed, this module stands for it: verifiers asks by name.
    sys.modules.setdefault(PLUGIN, sys.modules[__name__])
    wanted = [tasks] if isinstance(tasks, str) else list(tasks)
    taskset = MLGymConfig(
        id=PLUGIN, tasks=wanted, seeds=seeds, data_seeds=list(data_seeds), **settings
    )
    harness = MLGymHarnessConfig(id=PLUGIN, max_format_errors=max_format_errors)
    agent = vf.AgentConfig(harness=harness, runtime=vf.SubprocessConfig())
    return MLGymEnvironment(MLGymSeats(taskset=taskset, agent=agent))


def _play(data: MLGymData, player: Player) -> Outcome:
    given = data.model_dump(include=_GIVEN)
    env = MLGymEnv(data.mlgym_task, data_seed=data.data_seed, **given)
    try:
        return rollout(env, player, seed=data.seed)
    finally:
        env.close()


def _tell(trace: Any, outcome: Outcome) -> None:
    """Keep what became of the episode: in the state for the reward, in `info` for the record."""
    score = None if outcome.score is None else outcome.score.to_json()
    trace.info["mlgym"] = {
        "status": outcome.status,
        "exit_reason": str(outcome.exit_reason),
        "steps": outcome.steps,
        "total_reward": outcome.total_reward,
        "score": score,
    }
    if outcome.status != "infrastructure_failure":
        trace.state.total_reward = outcome.total_reward
        trace.state.exit_reason, trace.state.steps = str(outcome.exit_reason), outcome.steps
        trace.state.normalized = None if outcome.score is None else outcome.score.normalized
