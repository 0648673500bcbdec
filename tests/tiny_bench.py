"""The bench with as few repeats as can be, and what it must tell of every backend."""

from __future__ import annotations

from mlgym.bench.plan import Plan

TINY = Plan(
    steps=20,
    envs=(1, 2),
    env_steps=8,
    cold_starts=1,
    resets=2,
    outputs=2,
    large_outputs=1,
    timeouts=1,
    limit_s=0.2,
    validations=1,
    memory_envs=1,
    files=3,
    exports=1,
    vector_envs=2,
    vector_rounds=2,
    vector_resets=1,
    vector_starts=1,
    vector_counts=(1, 3),
    vector_steps=6,
    mixed_windows=2,
    window_s=0.03,
    slow_s=0.02,
)
UNITS = {
    "step_p50": "ms",
    "step_p99": "ms",
    "steps_per_s_1": "1/s",
    "steps_per_s_2": "1/s",
    "cold_start": "ms",
    "reset": "ms",
    "reset_pooled": "ms",
    "output_1mb": "ms",
    "output_16mb": "ms",
    "timeout_sleep": "ms",
    "timeout_busy_loop": "ms",
    "timeout_deaf": "ms",
    "timeout_deaf_return": "ms",
    "validate": "ms",
    "validate_cpu": "ms",
    "memory": "MB",
    "memory_5mb": "MB",
    "write_4kb": "ms",
    "read_4kb": "ms",
    "export_5mb": "ms",
}
VECTOR_UNITS = {
    "vector_steps": "1/s",
    "vector_gain": "1/s",
    "vector_resets": "1/s",
    "vector_memory": "MB",
    "vector_start": "ms",
    "mixed_p50": "ms",
    "mixed_p99": "ms",
    "vector_steps_1": "1/s",
    "vector_memory_1": "MB",
    "vector_steps_3": "1/s",
    "vector_memory_3": "MB",
}
VECTOR_GATED = {"vector_steps", "vector_gain", "vector_memory", "vector_start"}
GATED = {
    "step_p50",
    "reset",
    "reset_pooled",
    "output_1mb",
    "timeout_sleep",
    "timeout_busy_loop",
    "timeout_deaf",
}
