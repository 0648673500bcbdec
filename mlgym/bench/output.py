"""How fast a command's output arrives: `cat` of a text of lines, 1 MB and 16 MB of it."""

from __future__ import annotations

from mlgym.bench.measures import Measure, compared, in_turn, quantile, timed
from mlgym.bench.reference import ReferenceShell
from mlgym.bench.setting import LINES, Setting
from mlgym.env import MLGymEnv

LARGE = 16


def output(setting: Setting) -> list[Measure]:
    """The whole `env.step`; R reads all and keeps nothing, a sandbox keeps head and tail."""
    with setting.env(setting.laden) as env, ReferenceShell(setting.workspace) as shell:
        return [
            _cat(setting, env, shell, 1, setting.plan.outputs),
            _cat(setting, env, shell, LARGE, setting.plan.large_outputs),
        ]


def _cat(
    setting: Setting, env: MLGymEnv, shell: ReferenceShell, megabytes: int, times: int
) -> Measure:
    command = "cat" + f" {LINES}" * megabytes
    seconds = in_turn(
        timed(lambda: env.step(command)), timed(lambda: shell.stream(command.encode())), times
    )
    rates = " and ".join(f"{megabytes / quantile(each, 0.5):.0f}" for each in seconds)
    return compared(
        setting.backend, f"output_{megabytes}mb", seconds, detail=f"{rates} MB a second"
    )
