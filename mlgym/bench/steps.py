"""What a step costs: one environment's `step("echo hi")`, and many environments' in turn."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from mlgym.bench.measures import Measure, compared, in_turn, measure, timed
from mlgym.bench.reference import ReferenceShell
from mlgym.bench.setting import ECHO, Setting
from mlgym.env import MLGymEnv


def step_latency(setting: Setting) -> list[Measure]:
    """The whole `env.step`, by turns with R sourcing the same text."""
    with setting.env() as env, ReferenceShell() as shell:
        seconds = in_turn(
            timed(lambda: env.step(ECHO)),
            timed(lambda: shell.run(ECHO.encode())),
            setting.plan.steps,
        )
    return [
        compared(setting.backend, "step_p50", seconds),
        compared(setting.backend, "step_p99", seconds, share=0.99),
    ]


def step_rates(setting: Setting) -> list[Measure]:
    """Steps a second of several environments in one process, beside as many reference shells."""
    found: list[Measure] = []
    with ExitStack() as held:
        envs: list[MLGymEnv] = []
        shells: list[ReferenceShell] = []
        for count in sorted(setting.plan.envs):
            while len(envs) < count:
                envs.append(held.enter_context(setting.env()))
                shells.append(held.enter_context(ReferenceShell()))
            ours, theirs = _rates(envs, shells, setting.plan.env_steps)
            found.append(
                measure(
                    setting.backend,
                    f"steps_per_s_{count}",
                    ours,
                    theirs,
                    unit="1/s",
                    against=f"R, {count} of them",
                    detail=f"{setting.plan.env_steps} steps, round-robin in one process",
                )
            )
    return found


def _rates(
    envs: Sequence[MLGymEnv], shells: Sequence[ReferenceShell], steps: int
) -> tuple[float, float]:
    def round_of_steps() -> None:
        for env in envs:
            env.step(ECHO)

    def round_of_answers() -> None:
        for shell in shells:
            shell.run(ECHO.encode())

    rounds = max(1, steps // len(envs))
    ours, theirs = in_turn(timed(round_of_steps), timed(round_of_answers), rounds)
    return rounds * len(envs) / sum(ours), rounds * len(envs) / sum(theirs)
