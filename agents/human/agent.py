"""A person at a terminal, or a pipe of actions: what is typed is what is done."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, Completion
from prompt_toolkit.filters import is_searching
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.output import create_output
from prompt_toolkit.shortcuts import CompleteStyle
from rich.console import Console
from rich.text import Text

from mlgym import (
    ConfigError,
    Decision,
    ExitReason,
    Observation,
    TaskBrief,
    ToolSpec,
    cut,
    home,
    is_whole,
    split_actions,
)

HELP = (
    "Enter sends, or goes on with an action that is not at its end (Esc Enter does the other of"
    " the two). Tab completes. Ctrl-D asks how to end. Ctrl-C drops what is typed; while a command"
    " runs it ends the run."
)
QUESTION = "[s]ubmit, [f]orfeit or [q]uit? Enter goes on: "
QUIT = Decision("", finish=ExitReason.INTERRUPTED)
WISHES = {"s": Decision("submit"), "f": Decision("forfeit"), "q": QUIT}
PATH = re.compile(r"[\w~.+-]*(?:/[\w.+-]+)+/?|[\w+-][\w.+-]*\.[A-Za-z]\w*")
WORD = re.compile(r"[^\s'\"=<>|;&()]*$")


class Human:
    """See `mlgym.Agent`. Settings are those of agent.yaml."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self.console = Console(markup=False, highlight=False, emoji=False)
        self.names = Names(int(settings["paths"]))
        at_terminal = sys.stdin is not None and sys.stdin.isatty()
        self.decisions = typed(self.names) if at_terminal else piped()

    def reset(self, brief: TaskBrief, tools: Sequence[ToolSpec]) -> None:
        self.brief, self.action, self.reward = brief, "", 0.0
        self.names.tools = [tool.name for tool in tools if tool.name != "bash"]
        self.show(brief.title, "bold")
        self.show(brief.description)
        self.show(
            f"Tools: {', '.join(self.names.tools)}; all else goes to the shell. {HELP}", "dim"
        )

    def act(self, observation: Observation) -> Decision:
        if observation.step and observation.text.strip():
            self.show(cut(observation.text, int(self.settings["longest_observation"])))
        self.names.learn(self.action, observation.text)
        self.reward += observation.reward
        self.show(self.status(observation), "bold cyan")
        decision = next(self.decisions)
        self.action = decision.action
        return decision

    def status(self, seen: Observation) -> str:
        """What is left, and the score so far."""
        metric, best = self.brief.metric, seen.best_metrics
        told = "none yet" if best is None else f"{best[metric]:.6g}"
        return (
            f"{seen.remaining_steps} steps and {seen.remaining_s / 60:.1f} minutes left;"
            f" {metric} ({self.brief.goal}): baseline {self.brief.baseline:.6g}, best {told};"
            f" reward {self.reward:.4g}"
        )

    def show(self, text: str, style: str = "") -> None:
        # What came out of a sandbox is written, never obeyed by the terminal.
        kept = (c if c in "\n\t" or c.isprintable() else ascii(c)[1:-1] for c in text.rstrip())
        self.console.print(Text("".join(kept), style), soft_wrap=True)


def piped() -> Iterator[Decision]:
    """Actions from standard input, one after the other; its end stops the work.

    Raises:
        ConfigError: there is none.
    """
    first = "" if sys.stdin is None else sys.stdin.readline()
    if not first:
        raise ConfigError("the agent 'human': standard input is no terminal and holds no action")
    actions = map(Decision, split_actions(chain([first], sys.stdin)))
    return chain(actions, [QUIT])


class CancelledError(Exception):
    """Ctrl-C."""


def typed(names: Completer) -> Iterator[Decision]:
    """Actions typed at a terminal, with the history of this user's earlier ones."""
    history = home() / f"human-{os.getuid()}.history"
    history.parent.mkdir(parents=True, exist_ok=True)
    history.touch(0o600)
    shared: dict[str, Any] = {
        # Not KeyboardInterrupt: that is a kill from outside, and ends the run.
        "interrupt_exception": CancelledError,
        "output": create_output(always_prefer_tty=True),
    }
    actions = PromptSession[str](
        "action> ",
        history=FileHistory(str(history)),
        completer=names,
        complete_while_typing=False,
        complete_style=CompleteStyle.READLINE_LIKE,
        multiline=True,
        prompt_continuation="      | ",
        key_bindings=keys(),
        **shared,
    )
    return asked(actions, PromptSession[str](QUESTION, **shared))


def asked(actions: PromptSession[str], answers: PromptSession[str]) -> Iterator[Decision]:
    """Each action as it is typed. Ctrl-D asks how to end, and once more it quits."""
    while True:
        try:
            action = actions.prompt()
            if action.strip():
                yield Decision(action)
        except CancelledError:
            continue
        except EOFError:
            try:
                wish = WISHES.get(answers.prompt().strip().lower()[:1])
            except CancelledError:
                continue
            except EOFError:
                wish = QUIT
            if wish is not None:
                yield wish


def keys() -> KeyBindings:
    """Enter sends a whole action and otherwise adds a line; Esc Enter the other way round."""
    bindings = KeyBindings()

    def bind(*pressed: str, sends_whole: bool) -> None:
        @bindings.add(*pressed, filter=~is_searching)
        def _(event: Any) -> None:
            buffer = event.current_buffer
            if is_whole(buffer.text) is sends_whole:
                buffer.validate_and_handle()
            else:
                buffer.insert_text("\n")

    bind("enter", sends_whole=True)
    bind("escape", "enter", sends_whole=False)
    return bindings


class Names(Completer):
    """What Tab offers: tools for the first word, and paths that were seen or written so far.

    An agent never holds the environment: it knows what observations and its own actions have named.
    """

    def __init__(self, most: int) -> None:
        self.tools: list[str] = []
        self.paths: list[str] = []
        self.most = most

    def learn(self, action: str, observation: str) -> None:
        found = PATH.findall(action) + PATH.findall(observation)
        command, *words = action.split() or [""]
        folders = [word.rstrip("/") for word in words if not word.startswith("-")]
        if command == "ls" and len(folders) < 2:
            listed = [line.split()[-1] for line in observation.split("\n") if line.strip()]
            within = f"{folders[0]}/" if folders and listed != folders else ""
            found += [within + name for name in listed]
        # The last place in which each was named counts.
        newest = dict.fromkeys(reversed([*self.paths, *found]))
        self.paths = list(newest)[: self.most][::-1]

    def get_completions(self, document: Any, complete_event: Any) -> Iterator[Completion]:
        del complete_event
        before = document.text_before_cursor
        word = WORD.search(before)[0]
        for name in [*(self.tools if before.lstrip() == word else ()), *sorted(self.paths)]:
            if name.startswith(word) and name != word:
                yield Completion(name, start_position=-len(word))
