"""Makes run folders of other systems' runs, which say that they are that in three places.

Their data profile is one of its own, so that no table ever holds them beside our scores; `config`
and `versions` tell where they come from.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mlgym import catalog
from mlgym.errors import ConfigError, TaskError
from mlgym.reward import make_scorer
from mlgym.runs.foreign import ForeignRun, ForeignStep
from mlgym.runs.store import TRAJECTORY, RunFolder
from mlgym.task.spec import Task, find_task
from mlgym.tools.registry import TOOLS
from mlgym.tools.text import first_word
from mlgym.trajectory import TrajectoryWriter
from mlgym.types import ExitReason, Score, Transition, Usage

PROFILE = "full-imported"
AGENT = "imported"
_TOOLS = {tool.spec.name for tool in TOOLS}
_GRADED = ("validate", "submit")
# The first word of an exit status that is found says why; more than one may occur.
_REASONS = (
    ("cost", ExitReason.COST_LIMIT),
    ("context", ExitReason.CONTEXT_OVERFLOW),
    ("format", ExitReason.FORMAT_ERRORS),
    ("step", ExitReason.MAX_STEPS),
    ("time", ExitReason.WALL_TIME),
    ("forfeit", ExitReason.FORFEITED),
    ("submi", ExitReason.SUBMITTED),
)


def import_run(
    found: ForeignRun,
    root: Path,
    *,
    task: str | None = None,
    model: str | None = None,
    seed: int = 0,
) -> RunFolder | None:
    """Make a run folder under `root`; None where that file has been imported before.

    `task` and `model` go before what the file tells. Where the catalogue has a task of that name
    and the metric is its own, the score is put on the scale of its `full` profile; otherwise there
    is no normalized score.

    Raises:
        ConfigError: nothing tells the task, or no folder can be made.
    """
    named = task or found.task
    if named is None:
        raise ConfigError(f"{found.path}: nothing in it tells the task: name it with --task")
    sha256 = hashlib.sha256(found.path.read_bytes()).hexdigest()
    run_id = f"imported-{_plain(named)}-{_plain(found.path.stem)[:60]}-{sha256[:8]}"
    final = root / run_id
    if final.exists():
        return None
    record = _record(found, run_id, named, model or found.model, seed, sha256)
    try:
        root.mkdir(parents=True, exist_ok=True)
        fresh = RunFolder(Path(tempfile.mkdtemp(prefix=".import-", dir=root)))
        try:
            fresh.path.chmod(0o755)
            with TrajectoryWriter(fresh.path / TRAJECTORY) as writer:
                for transition in _transitions(found, record["exit_reason"]):
                    writer.write(transition)
            fresh.write_record(record)
            fresh.path.rename(final)
        except BaseException:
            shutil.rmtree(fresh.path, ignore_errors=True)
            raise
    except OSError as error:
        raise ConfigError(f"--out {root}: no run folder can be made there: {error}") from error
    return RunFolder(final)


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:80].strip("-.") or "run"


def _record(
    found: ForeignRun, run_id: str, named: str, model: str | None, seed: int, sha256: str
) -> dict[str, Any]:
    task = _task(named)
    score = _score(task, found.scores[-1], "test") if found.scores else None
    ours = task.spec.id if task else named
    stats = found.stats
    written = datetime.fromtimestamp(found.path.stat().st_mtime, UTC)
    return {
        "run_id": run_id,
        "task": ours,
        "task_version": 0,
        "task_sha256": "",
        "profile": PROFILE,
        "data_seed": 0,
        "sandbox": AGENT,
        "limits": None,
        "agent": AGENT,
        "model": model,
        "seed": seed,
        "status": "unscored" if score is None else "scored",
        "exit_reason": str(_reason(found.exit_status)),
        "steps": len(found.steps),
        "total_reward": 0.0,
        "score": score,
        "best_validation": _best(task, found),
        "baseline": dict(found.baseline),
        "usage": Usage(
            int(stats.get("api_calls", 0)),
            int(stats.get("tokens_sent", 0)),
            0,
            int(stats.get("tokens_received", 0)),
            stats.get("instance_cost", stats.get("total_cost")),
        ).to_json(),
        "started_at": written.isoformat(timespec="seconds"),
        "duration_s": round(sum(step.duration_s for step in found.steps), 3),
        "config": {
            "task": named,
            "agent": AGENT,
            "model": model,
            "imported": {
                "file": str(found.path),
                "sha256": sha256,
                "exit_status": found.exit_status,
                "scores": [dict(each) for each in found.scores],
                "model_stats": dict(stats),
            },
        },
        "versions": {"imported": f"mlgym import-traj {version('mlgym')}"},
    }


def _task(named: str) -> Task | None:
    """The catalogue's task of that name, whatever way its words are joined."""
    for name in catalog.shelf("tasks"):
        if re.sub(r"\W|_", "", name).lower() == re.sub(r"\W|_", "", named).lower():
            try:
                return find_task(name)
            except (ConfigError, TaskError):
                return None
    return None


def _score(task: Task | None, metrics: Mapping[str, float], split: Any) -> dict[str, Any] | None:
    """As `Score.to_json`, its `normalized` None where there is no scale to put it on."""
    if not metrics:
        return None
    primary, normalized = next(iter(metrics)), None
    if task is not None and "full" in task.spec.profiles:
        ours = task.spec.primary.name
        same = [name for name in metrics if name.lower() == ours.lower()]
        if same:
            primary = ours
            metrics = {(ours if name == same[0] else name): v for name, v in metrics.items()}
            normalized = make_scorer(task.spec, "full").normalized(metrics[ours])
    score = Score(metrics, primary, normalized or 0.0, split, "submitted").to_json()
    return {**score, "normalized": normalized}


def _best(task: Task | None, found: ForeignRun) -> dict[str, Any] | None:
    """The best of all gradings before the last, where a scale tells which."""
    scores = [_score(task, each, "validation") for each in found.scores[:-1]]
    known = [each for each in scores if each and each["normalized"] is not None]
    return max(known, key=lambda each: each["normalized"], default=None)


def _reason(status: str | None) -> ExitReason:
    for word, reason in _REASONS:
        if status and word in status.lower():
            return reason
    return ExitReason.AGENT_ERROR if status else ExitReason.INTERRUPTED


def _transitions(found: ForeignRun, reason: str) -> list[Transition]:
    asked = [step for step in found.steps if first_word(step.action) in _GRADED]
    # A grading that failed left no score: only where there is one for each is it known whose.
    metrics = iter(found.scores if len(asked) == len(found.scores) else ())
    transitions = [_transition(0, None, ForeignStep("", found.brief, "", 0.0), None)]
    for number, step in enumerate(found.steps, 1):
        graded = next(metrics, None) if first_word(step.action) in _GRADED else None
        ends = number == len(found.steps)
        submitted = reason in (ExitReason.SUBMITTED, ExitReason.FORFEITED)
        transitions.append(
            _transition(
                number, step.action, step, graded, ends and submitted, ends and not submitted
            )
        )
    return transitions


def _transition(
    number: int,
    action: str | None,
    step: ForeignStep,
    metrics: Mapping[str, float] | None,
    terminated: bool = False,
    truncated: bool = False,
) -> Transition:
    word = first_word(step.action)
    return Transition(
        step=number,
        parent=number - 1 if number else None,
        thought=step.thought,
        action=action,
        observation=step.observation,
        reward=0.0,
        terminated=terminated,
        truncated=truncated,
        tool="reset" if action is None else word if word in _TOOLS else "bash",
        metrics=metrics,
        duration_s=step.duration_s,
    )
