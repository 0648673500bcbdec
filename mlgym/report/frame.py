"""Runs as a table for notebooks: one row a run."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlgym.errors import ConfigError
from mlgym.runs.reading import RecordedRun, read_runs

if TYPE_CHECKING:
    import pandas as pd  # pyright: ignore[reportMissingTypeStubs]


def load_runs(dir: str | Path = "runs") -> pd.DataFrame:
    """The runs below a folder, one a row, in the order of their paths.

    The columns are the fields of `run.json`, with `score`, `normalized` and `validation` (the best
    one) as numbers of the primary `metric`, NaN where there is none, and the usage spread out. A
    run that has not ended has no `exit_reason`. What could not be read is told of in
    `frame.attrs["unreadable"]`, a sentence each.

    Raises:
        ConfigError: there is no such folder, or pandas is not installed.
    """
    try:
        pandas: Any = import_module("pandas")
    except ImportError:
        raise ConfigError("load_runs needs pandas: pip install pandas") from None
    found = read_runs(Path(dir))
    frame = pandas.DataFrame([_row(run) for run in found.runs], columns=list(_COLUMNS))
    frame.attrs["unreadable"] = list(found.unreadable)
    return frame


def _row(run: RecordedRun) -> dict[str, Any]:
    score, best, usage = run.score, run.best_validation, run.usage
    named = score or best
    metric = named.primary if named else None
    return {
        "run_id": run.run_id,
        "task": run.task,
        "task_version": run.task_version,
        "profile": run.profile,
        "data_seed": run.data_seed,
        "agent": run.agent,
        "model": run.model,
        "seed": run.seed,
        "status": run.status,
        "exit_reason": run.exit_reason,
        "steps": run.steps,
        "total_reward": run.total_reward,
        "metric": metric,
        "score": score.value if score else None,
        "normalized": score.normalized if score else None,
        "validation": best.value if best else None,
        "baseline": run.baseline.get(metric) if metric else None,
        "calls": usage.calls,
        "input_tokens": usage.input_tokens,
        "cached_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": usage.cost_usd,
        "duration_s": run.duration_s,
        "started_at": run.started_at,
        "path": str(run.path),
    }


_COLUMNS = (
    *("run_id", "task", "task_version", "profile", "data_seed", "agent", "model", "seed"),
    *("status", "exit_reason", "steps", "total_reward", "metric", "score", "normalized"),
    *("validation", "baseline", "calls", "input_tokens", "cached_tokens", "output_tokens"),
    *("cost_usd", "duration_s", "started_at", "path"),
)
