"""Frozen values that travel between layers. No behaviour beyond construction and JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple

Split = Literal["validation", "test"]
ScoreSource = Literal["submitted", "best_validated", "last_workspace"]


class ExitReason(StrEnum):
    """Why an episode ended."""

    SUBMITTED = "submitted"
    FORFEITED = "forfeited"
    MAX_STEPS = "max_steps"
    WALL_TIME = "wall_time"
    COST_LIMIT = "cost_limit"
    TOKEN_LIMIT = "token_limit"
    FORMAT_ERRORS = "format_errors"
    CONTEXT_OVERFLOW = "context_overflow"
    MODEL_ERROR = "model_error"
    AGENT_ERROR = "agent_error"
    INTERRUPTED = "interrupted"
    SANDBOX_ERROR = "sandbox_error"
    TASK_ERROR = "task_error"

    @property
    def is_infrastructure(self) -> bool:
        """True where nobody's work can be judged: the episode is void, not graded."""
        return self in (ExitReason.SANDBOX_ERROR, ExitReason.TASK_ERROR, ExitReason.MODEL_ERROR)


class ExecResult(NamedTuple):
    """What a command in the persistent shell came to.

    `output` is standard output and error interleaved, decoded as UTF-8 with replacement, bounded
    (head and tail kept, the cut stated in place). A time-out is a result, not an error:
    `timed_out` is set and a last line in `output` says what was done. `restarted` says that the
    shell had to be started anew, so that cwd, variables and functions are lost.
    `duration_s` is wall time in seconds.
    """

    output: str
    exit_code: int
    timed_out: bool = False
    truncated: bool = False
    restarted: bool = False
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as an agent sees it. `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BriefLimits:
    """What an episode may use: steps, seconds inside the environment, seconds a command."""

    steps: int
    wall_s: float
    command_s: float


@dataclass(frozen=True, slots=True)
class TaskBrief:
    """What an agent is told at the start. `baseline` is the primary metric's baseline value."""

    task: str
    title: str
    description: str
    metric: str
    goal: Literal["maximize", "minimize"]
    baseline: float
    limits: BriefLimits


class ToolCall(NamedTuple):
    """One call of a tool: the language shared by text agents, tool-calling agents and replay."""

    name: str
    arguments: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Image:
    """A picture as its file holds it. `media_type` is what its first bytes say, as `image/png`."""

    media_type: str
    data: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """Where a run's folder keeps it, by what it holds: `images/<sha256>.png`."""
        return f"images/{hashlib.sha256(self.data).hexdigest()}.{self.media_type.partition('/')[2]}"


class ToolResult(NamedTuple):
    """What a tool answered. Only the shell sets `exit_code`, only grading `metrics`.

    Only `view_image` sets `image`, which is for models that take images.
    """

    text: str
    exit_code: int | None = None
    metrics: Mapping[str, float] | None = None
    image: Image | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """A graded submission. `normalized` is 0 at the baseline and 1 at the target, unclipped."""

    metrics: Mapping[str, float]
    primary: str
    normalized: float
    split: Split
    source: ScoreSource

    def to_json(self) -> dict[str, Any]:
        return {
            "metrics": dict(self.metrics),
            "primary": self.primary,
            "normalized": self.normalized,
            "split": self.split,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and money of one or more model calls. `cost_usd` is None where a price is unknown."""

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0

    def __add__(self, other: Usage) -> Usage:
        unknown = self.cost_usd is None or other.cost_usd is None
        return Usage(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            None if unknown else (self.cost_usd or 0.0) + (other.cost_usd or 0.0),
        )

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def to_json(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "input_tokens": self.input_tokens,
            "cached_tokens": self.cached_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": self.cost_usd,
        }


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of `trajectory.jsonl`. Line 0 is the reset: `step` 0 and `action` None.

    `duration_s` is seconds inside the environment; `time` is Unix time in seconds. `image` is the
    name of the one that the step showed (see `Image`), for which most lines have no field.
    """

    step: int
    parent: int | None
    thought: str
    action: str | None
    observation: str
    reward: float
    terminated: bool
    truncated: bool
    tool: str
    exit_code: int | None = None
    metrics: Mapping[str, float] | None = None
    duration_s: float = 0.0
    usage: Usage | None = None
    time: float = 0.0
    image: str | None = None
