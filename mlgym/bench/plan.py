"""How often each thing is measured: a full run takes one or two minutes, a quick one seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Plan:
    """How many times a thing is done by turns with its reference.

    `envs` are the numbers of environments stepped round-robin, `env_steps` how many steps they take
    in all; `memory_envs` how many environments memory is averaged over; `limit_s` is the commands'
    limit where time-outs are measured, in seconds. `vector_envs` is how many a vector holds,
    `vector_counts` how many others do, which take `vector_steps` steps in all each, or four rounds.
    In `mixed_windows` windows of `window_s` seconds slow commands of `slow_s` seconds run too.
    """

    steps: int = 3000
    envs: tuple[int, ...] = (1, 8, 32)
    env_steps: int = 3200
    cold_starts: int = 20
    resets: int = 60
    outputs: int = 40
    large_outputs: int = 10
    timeouts: int = 8
    limit_s: float = 0.25
    validations: int = 10
    memory_envs: int = 8
    files: int = 300
    exports: int = 30
    vector_envs: int = 64
    vector_rounds: int = 30
    vector_resets: int = 8
    vector_starts: int = 3
    vector_counts: tuple[int, ...] = (1, 8, 32, 256)
    vector_steps: int = 1920
    mixed_windows: int = 4
    window_s: float = 1.5
    slow_s: float = 0.5


FULL = Plan()
QUICK = Plan(
    steps=500,
    env_steps=320,
    cold_starts=4,
    resets=10,
    outputs=8,
    large_outputs=3,
    timeouts=2,
    validations=2,
    memory_envs=4,
    files=40,
    exports=5,
    vector_rounds=8,
    vector_resets=2,
    vector_starts=1,
    vector_counts=(1, 8, 32),
    vector_steps=640,
    mixed_windows=2,
    window_s=0.8,
    slow_s=0.25,
)
CHECK = replace(
    QUICK,
    vector_counts=(8,),
    cold_starts=8,
    outputs=12,
    validations=3,
    vector_rounds=12,
)
"""What is measured where only large changes are looked for, as `mlgym bench --check` does."""
