"""A suite's folder: `suite.json`, written once, and the runs of its cells beside it.

What is called for again must be what was begun, so that its runs may be compared; only more of the
same may be added. How fast it is done, and with what, is nobody's result and may change.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlgym.config import EvalConfig
from mlgym.errors import ConfigError
from mlgym.runs.suite import SUITE
from mlgym.runs.suite.gate import HeldError, held
from mlgym.runs.suite.plan import Plan, make_plan, plan_of
from mlgym.runs.whole import write_json

HARMLESS = (
    *("name", "out", "jobs", "gpus", "share_gpus", "rates"),
    *("retries", "backoff_s", "patience_s"),
)
MATRIX = ("tasks", "agents", "models", "seeds")
_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite in its folder. `config` is what was asked for now, `plan` what stands there."""

    folder: Path
    config: EvalConfig
    plan: Plan


def read_plan(folder: Path) -> Plan | None:
    """The plan that stands in `folder`, None where there is none. Raises ConfigError."""
    path = folder / SUITE
    try:
        return plan_of(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: is no suite's file: {error!r}") from error


def settle(config: EvalConfig, folder: Path) -> Plan:
    """The plan of `config` for `folder`.

    Raises:
        ConfigError: another one stands there; says in what they differ, old and new.
    """
    there = read_plan(folder)
    plan = make_plan(config, there.data if there is not None and config.data == "auto" else None)
    _check_alike(folder, there, plan)
    return plan


def _check_alike(folder: Path, there: Plan | None, plan: Plan) -> None:
    unlike = list(differences(there, plan)) if there is not None else []
    if unlike:
        raise ConfigError(_refusal(folder, unlike))


def open_suite(config: EvalConfig, plan: Plan, folder: Path, log: Callable[[str], None]) -> Suite:
    """The suite in `folder`, begun where there is none, made wider where `plan` has more.

    Raises:
        ConfigError: another suite stands there, or there can be none.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with held(folder, SUITE, _WAIT_S):
            there = read_plan(folder)  # another process may have begun one meanwhile
            _check_alike(folder, there, plan)
            if there is not None and there.version != plan.version:
                log(f"{folder}: begun with mlgym {there.version}, gone on with by {plan.version}")
            if there is None or {*there.cells} != {*plan.cells}:
                write_json(folder / SUITE, plan.to_json())
    except (OSError, HeldError) as error:
        raise ConfigError(f"--out {folder}: no suite can be had there: {error}") from error
    return Suite(folder, config, plan)


def differences(there: Plan, now: Plan) -> Iterator[tuple[str, object, object]]:
    """What keeps two plans apart: (what, there, now) for each."""
    old, new = there.config.to_json(), now.config.to_json()
    if there.data != now.data:
        yield "data", there.data, now.data
    for name in EvalConfig.model_fields:
        if name == "data" or name in HARMLESS:
            continue
        if name in MATRIX:
            missing = [one for one in old[name] if one not in new[name]]
            if missing:
                yield name, _shown(old[name]), _shown(new[name])
        elif old[name] != new[name]:
            yield name, old[name], new[name]
    for task, profile in there.profiles.items():
        if now.profiles.get(task, profile) != profile:
            yield f"data of {task}", profile, now.profiles[task]
    for kind, then, since in (
        ("task", there.task_sums, now.task_sums),
        ("agent", there.agent_sums, now.agent_sums),
    ):
        for name, value in then.items():
            if since.get(name, value) != value:
                yield f"the files of {kind} {name}", _short(value), _short(since[name])


def _shown(found: list[Any]) -> list[Any]:
    """Models in short, where nothing but their name is said of them."""
    return [
        one["model"] if isinstance(one, dict) and _is_bare(one) else one  # pyright: ignore[reportUnknownArgumentType]
        for one in found
    ]


def _is_bare(model: Mapping[str, Any]) -> bool:
    return all(value is None for name, value in model.items() if name != "model")


def _short(value: str | None) -> str:
    return "none" if value is None else f"sha256 {value[:12]}"


def _refusal(folder: Path, unlike: list[tuple[str, object, object]]) -> str:
    lines = [f"--out {folder}: found a suite of another configuration, expected the same:"]
    lines += [f"  {what}: {old!r} there, {new!r} now" for what, old, new in unlike]
    lines.append(
        f"Only {', '.join(HARMLESS)} may change, and tasks, agents, models and seeds be added;"
        " for anything else name another folder."
    )
    return "\n".join(lines)
