"""What a run shows while it goes: a live view on a terminal, a line for each step on a pipe."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from mlgym.cli.output import make_console, make_live, money, one_line, plain, print_above, seconds
from mlgym.types import Transition, Usage

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from mlgym.env import MLGymEnv

_OBSERVATION_LINES = 8
_ACTION_WIDTH = 60
_TOOL_WIDTH = 11


@dataclass(slots=True)
class Progress:
    """What is known of a run so far. Times are in seconds."""

    title: str
    primary: str
    baseline: float
    max_steps: int
    remaining_s: float
    step: int = 0
    validated: float | None = None
    best: float | None = None
    reward: float = 0.0
    usage: Usage = field(default_factory=Usage)
    action: str = ""
    """The one under way, or the last one."""
    under_way: bool = False
    observation: str = ""
    since: float = field(default_factory=time.monotonic)
    """When the action under way began, or the last one ended."""
    began: float = field(default_factory=time.monotonic)

    def act(self, action: str) -> None:
        self.action, self.under_way, self.since = action, True, time.monotonic()

    def see(self, transition: Transition, env: MLGymEnv) -> None:
        self.step, self.under_way, self.since = transition.step, False, time.monotonic()
        self.observation = transition.observation
        self.reward += transition.reward
        self.remaining_s = env.remaining_s
        if transition.usage is not None:
            self.usage += transition.usage
        if transition.tool == "validate" and transition.metrics is not None:
            self.validated = transition.metrics[self.primary]
        best = env.best_validation
        self.best = None if best is None else best.metrics[self.primary]


def step_line(transition: Transition, max_steps: int) -> str:
    """One step in one line: number, tool, action, what came of it."""
    if transition.action is None and transition.step == 0:
        return f"[0/{max_steps}] the workspace is laid  ({seconds(transition.duration_s)})"
    came: list[str] = []
    if transition.parent not in (None, transition.step - 1):
        came.append(f"back at step {transition.parent}")
    if transition.exit_code is not None:
        came.append(f"exit {transition.exit_code}")
    came += [f"{name} {value:.6g}" for name, value in _metrics(transition).items()]
    if transition.reward:
        came.append(f"reward {transition.reward:+.4g}")
    came.append(seconds(transition.duration_s))
    tool = transition.tool.ljust(_TOOL_WIDTH)
    action = transition.action or "(ended from outside)"
    shown = "" if plain(action).strip() == transition.tool else one_line(action, _ACTION_WIDTH)
    return f"[{transition.step}/{max_steps}] {tool} {shown}{'  ' if shown else ''}{', '.join(came)}"


def _metrics(transition: Transition) -> Mapping[str, float]:
    return transition.metrics or {}


class View(Protocol):
    """Where a run is shown."""

    def act(self, action: str) -> None: ...

    def see(self, transition: Transition) -> None: ...

    def note(self, line: str) -> None: ...

    def end(self, lines: list[str], good: bool) -> None:
        """Show what the run came to; the view must have been left."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def make_view(
    env: MLGymEnv, agent: str, model: str | None, *, on_stderr: bool, live: bool = True
) -> View:
    """The view that fits where the output goes; without `live` a line for each step."""
    spec = env.task.spec
    parts = (spec.id, agent, model, env.sandbox_name, f"{env.profile} data")
    progress = Progress(
        title=plain(" · ".join(part for part in parts if part)),
        primary=spec.primary.name,
        baseline=env.scorer.baseline,
        max_steps=env.max_steps,
        remaining_s=spec.budget.wall_s,
    )
    console = make_console(on_stderr=on_stderr)
    return (LiveView if live and console.is_terminal else PlainView)(env, progress, console)


class PlainView:
    """A line for each step, when it has ended."""

    def __init__(self, env: MLGymEnv, progress: Progress, console: Console) -> None:
        self._env = env
        self._progress = progress
        self._console = console
        self._is_deaf = False

    def act(self, action: str) -> None:
        self._progress.act(action)

    def see(self, transition: Transition) -> None:
        self._progress.see(transition, self._env)
        self.note(step_line(transition, self._progress.max_steps))

    def note(self, line: str) -> None:
        if self._is_deaf:
            return
        try:
            print(plain(line), file=self._console.file, flush=True)
        except BrokenPipeError:
            # Nobody reads any more: the run ends as by Ctrl-C, scored and recorded.
            self._is_deaf = True
            raise KeyboardInterrupt from None

    def end(self, lines: list[str], good: bool) -> None:
        del good
        self.note("\n".join(["", *lines]))

    def __enter__(self) -> Self:
        self.note(self._progress.title)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None


class LiveView:
    """The lines of a `PlainView`, and below them a panel of what goes on, drawn anew as it does."""

    def __init__(self, env: MLGymEnv, progress: Progress, console: Console) -> None:
        self._env = env
        self._progress = progress
        self._console = console
        self._live = make_live(console, lambda: panel(progress))

    def act(self, action: str) -> None:
        self._progress.act(action)
        self._live.refresh()

    def see(self, transition: Transition) -> None:
        self._progress.see(transition, self._env)
        self.note(step_line(transition, self._progress.max_steps))
        self._live.refresh()

    def note(self, line: str) -> None:
        print_above(self._console, line)

    def end(self, lines: list[str], good: bool) -> None:
        from rich.panel import Panel
        from rich.text import Text

        text = Text(plain("\n".join(lines)))
        title = Text(self._progress.title)
        colour = "green" if good else "red"
        self._console.print(Panel(text, title=title, title_align="left", border_style=colour))

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()


def panel(progress: Progress) -> RenderableType:
    """The run as it stands."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    now = time.monotonic()
    running = now - progress.since if progress.under_way else 0.0
    facts = [
        f"step {progress.step + progress.under_way} of {progress.max_steps}",
        f"{seconds(max(0.0, progress.remaining_s - running))} left",
        f"{seconds(now - progress.began)} passed",
    ]
    if progress.usage.calls:
        facts.append(f"cost {money(progress.usage.cost_usd)}")
        facts.append(f"{progress.usage.total_tokens:,} tokens")
    scores = [f"{progress.primary}: baseline {progress.baseline:.6g}"]
    if progress.validated is not None:
        scores.append(f"validated {progress.validated:.6g}")
    if progress.best is not None:
        scores.append(f"best {progress.best:.6g}")
    scores.append(f"reward {progress.reward:.4g}")
    parts: list[Text] = [Text("   ".join(facts)), Text("   ".join(scores), style="bold"), Text()]
    if progress.action:
        state = f"  ({seconds(running)})" if progress.under_way else ""
        parts.append(Text(f"> {one_line(progress.action, 500)}{state}", style="cyan", no_wrap=True))
    lines = [line.expandtabs(4) for line in plain(progress.observation).strip("\n").split("\n")]
    for line in lines[:_OBSERVATION_LINES]:
        parts.append(Text(line, style="dim", no_wrap=True, overflow="ellipsis"))
    if len(lines) > _OBSERVATION_LINES:
        parts.append(Text(f"... {len(lines) - _OBSERVATION_LINES} more lines", style="dim italic"))
    return Panel(Group(*parts), title=Text(progress.title), title_align="left", border_style="blue")
