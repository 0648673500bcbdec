"""The environment's interface in any order, beside a model of what an episode is."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fuzzing import FACTOR, fuzz
from gymnasium.error import ResetNeeded
from hypothesis import event, note
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mlgym.env import MLGymEnv

STEPS = 9
ANSWER = "answer.txt"
NAMES = st.sampled_from([ANSWER, ANSWER, ANSWER, "a.txt", "b c.txt"])
VALUES = st.sampled_from(["3", "5", "5.0", "8", "25", "-4", "0", "words", "", "nan"])
LUCK = st.integers(0, 9).map(lambda number: number == 7)
"""For what ends an episode, so that most of them last for a while."""
REASONS = ["cost_limit", "interrupted", "agent_error", "context_overflow", "max_steps"]
WRONG = ["edit 1", "goto 0", "submit now", "create", "open nothing", "\0", "\ud800"]
VOID = ["model_error", "sandbox_error", "task_error"]


@dataclass(frozen=True)
class Model:
    """What is known of an episode. `best` is the best validation's value, `paid` what it earned."""

    files: dict[str, str] = field(default_factory=dict)
    steps: int = 0
    best: float | None = None
    paid: float = 0.0
    over: str | None = None
    score: float | None = None


def clipped(value: float | None) -> float:
    """The score that a reward is made of: baseline 0, target 10."""
    return 0.0 if value is None else min(max(value / 10, 0.0), 2.0)


def graded(text: str | None) -> float | None:
    """What the grader makes of an answer, None where it is invalid."""
    try:
        value = float("" if text is None else text)
    except ValueError:
        return None
    return value if value == value else None


def concluded(model: Model, reason: str) -> Model:
    """The episode's end: its score is that of the submission, or of the best validation."""
    value = graded(model.files.get(ANSWER))
    if reason != "submitted" and model.best is not None:
        value = model.best
    if reason == "forfeited" or reason in VOID:
        value = None
    # The grader takes one off on the test split.
    return replace(model, over=reason, score=None if value is None else value - 1)


while_running = precondition(lambda self: self.running)
while_idle = precondition(lambda self: not self.running)


class Episodes(RuleBasedStateMachine):
    """What any caller could do: in time, before the first reset, after an end, after a close."""

    task: Path
    backend: str

    def __init__(self) -> None:
        super().__init__()
        self.env = MLGymEnv(self.task, sandbox=self.backend, max_steps=STEPS)
        self.model = Model(over="not begun")
        self.open = False
        self.kept: list[tuple[Any, Model]] = []

    def teardown(self) -> None:
        self.forget()
        self.env.close()

    def forget(self) -> None:
        for snapshot, _ in self.kept:
            snapshot.close()
        self.kept.clear()

    @property
    def running(self) -> bool:
        return self.open and self.model.over is None

    # Moves ------------------------------------------------------------------------------------

    def step(self, action: str, after: Model, tool: str = "bash") -> tuple[str, dict[str, Any]]:
        """One step. `after` is what becomes of the model, but for its budget."""
        note(repr(action))
        before, after = self.model, replace(after, steps=self.model.steps + 1)
        if after.over is None and after.steps == STEPS:
            after = concluded(after, "max_steps")
        made = self.env.step(action)
        assert made[4]["tool"] == tool
        self.arrived(before, after, made)
        return made[0], made[4]

    def arrived(self, before: Model, after: Model, made: tuple[Any, ...]) -> None:
        """Check what a step or `finish` returned against the model after it."""
        _, reward, terminated, truncated, info = made
        over, score = after.over, after.score
        event(f"over: {over}, {'un' if score is None else ''}scored" if over else "goes on")
        assert terminated == (over in ("submitted", "forfeited"))
        assert truncated == (over is not None and not terminated)
        assert info["step"] == after.steps
        assert info["remaining_steps"] == STEPS - after.steps
        assert info.get("exit_reason") == over
        assert info.get("score") == (None if score is None else pytest.approx(score / 10))
        expected = after.paid - before.paid
        if over is not None and over not in VOID:
            expected += clipped(score) - after.paid
        assert reward == pytest.approx(expected)
        self.model = after

    @initialize(seed=st.integers(0, 3), luck=LUCK)
    def begin(self, seed: int, luck: bool) -> None:
        """Most often: hypothesis leaves some rules out, and without a reset nothing happens."""
        if not luck:
            self.reset(seed, luck=True)

    @rule(seed=st.integers(0, 3), luck=LUCK)
    def reset(self, seed: int, luck: bool) -> None:
        if self.running and not luck:
            return
        self.forget()
        _, info = self.env.reset(seed=seed)
        assert info == {"step": 0, "remaining_steps": STEPS, "tool": "reset"}
        self.model, self.open = Model(), True

    @rule(luck=LUCK)
    def close(self, luck: bool) -> None:
        if luck:
            event("closed")
            self.forget()
            self.env.close()
            self.open = False

    @while_idle
    @rule(
        action=st.sampled_from(["ls", "validate", "submit", "\0", "interrupted"]),
        again=st.booleans(),
    )
    def come_at_the_wrong_time(self, action: str, again: bool) -> None:
        call = self.env.finish if action == "interrupted" else self.env.step
        with pytest.raises(ResetNeeded):
            call(action)
        if again:
            self.reset(0, luck=True)

    @while_running
    @rule(name=NAMES, text=VALUES)
    def write(self, name: str, text: str) -> None:
        after = replace(self.model, files={**self.model.files, name: text})
        self.step(f"printf %s {shlex.quote(text)} > {shlex.quote(name)}", after)

    @while_running
    @rule(name=NAMES, text=VALUES)
    def create(self, name: str, text: str) -> None:
        after = replace(self.model, files={**self.model.files, name: text + "\n"})
        self.step(f"create {shlex.quote(name)}\n<<END\n{text}\nEND", after, "create")

    @while_running
    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        files = {key: text for key, text in self.model.files.items() if key != name}
        self.step(f"rm -f {shlex.quote(name)}", replace(self.model, files=files))

    @while_running
    @rule(action=st.sampled_from(WRONG))
    def err(self, action: str) -> None:
        self.step(action, self.model, "open" if action == "open nothing" else "bash")

    @while_running
    @rule()
    def validate(self) -> None:
        model = self.model
        value = graded(model.files.get(ANSWER))
        after = model
        if value is not None:
            best = value if model.best is None or value >= model.best else model.best
            after = replace(model, best=best, paid=max(model.paid, clipped(value)))
        observation, info = self.step("validate", after, "validate")
        assert ("cannot be graded" in observation) == (value is None)
        if self.model.best is not None:
            assert info["best_metrics"] == {"value": self.model.best}

    @while_running
    @rule(luck=st.booleans())
    def submit(self, luck: bool) -> None:
        if luck:
            self.step("submit", concluded(self.model, "submitted"), "submit")

    @while_running
    @rule(luck=LUCK)
    def forfeit(self, luck: bool) -> None:
        if luck:
            self.step("forfeit", concluded(self.model, "forfeited"), "forfeit")

    @while_running
    @rule(reason=st.sampled_from([*REASONS, *VOID]), luck=st.booleans())
    def finish(self, reason: str, luck: bool) -> None:
        if luck:
            note(reason)
            after = replace(concluded(self.model, reason), steps=self.model.steps + 1)
            self.arrived(self.model, after, self.env.finish(reason))

    @rule(reason=st.sampled_from(["submitted", "forfeited", "tired"]))
    def finish_wrongly(self, reason: str) -> None:
        with pytest.raises(ValueError, match=r"action|not a valid"):
            self.env.finish(reason)

    @while_running
    @rule()
    def snapshot(self) -> None:
        self.kept.append((self.env.snapshot(), self.model))

    @while_idle
    @rule()
    def snapshot_nothing(self) -> None:
        with pytest.raises(ResetNeeded):
            self.env.snapshot()

    @precondition(lambda self: self.kept)
    @rule(which=st.integers(0, 99), keep_budget=st.booleans())
    def restore(self, which: int, keep_budget: bool) -> None:
        snapshot, then = self.kept[which % len(self.kept)]
        if not self.running:
            with pytest.raises(ResetNeeded):
                self.env.restore(snapshot, keep_budget=keep_budget)
            return
        assert self.env.restore(snapshot, keep_budget=keep_budget) is None
        self.model = replace(then, steps=self.model.steps) if keep_budget else then

    @precondition(lambda self: self.kept)
    @rule(which=st.integers(0, 99))
    def release(self, which: int) -> None:
        snapshot, _ = self.kept.pop(which % len(self.kept))
        snapshot.close()
        snapshot.close()

    # What always holds ---------------------------------------------------------------------------

    @invariant()
    def accounts_agree(self) -> None:
        model, env = self.model, self.env
        assert env.started == (model.over != "not begun")
        if not env.started:
            with pytest.raises(ResetNeeded):
                _ = env.episode
            return
        assert (env.step_count, env.remaining_steps) == (model.steps, STEPS - model.steps)
        assert env.exit_reason == model.over
        assert (env.score is not None) == (model.score is not None)
        best = env.best_validation
        assert (best and best.metrics) == (None if model.best is None else {"value": model.best})
        void = model.over in VOID
        status = "infrastructure_failure" if void else "unscored" if env.score is None else "scored"
        assert env.status == status

    @invariant()
    def files_agree(self) -> None:
        if not self.open:
            with pytest.raises(ResetNeeded):
                _ = self.env.sandbox
            return
        names = [ANSWER, "a.txt", "b c.txt"]
        found: dict[str, str] = {}
        for name in names:
            try:
                found[name] = self.env.sandbox.read(f"/workspace/{name}", 100).decode()
            except FileNotFoundError:
                continue
        assert found == self.model.files


def test_calls_in_any_order_do_what_the_model_says(number_task: Path, backend: str) -> None:
    machine = type("Machine", (Episodes,), {"task": number_task, "backend": backend})
    examples = 60 if backend == "bubblewrap" else 20
    run_state_machine_as_test(
        machine, settings=fuzz(int(examples * FACTOR), stateful_step_count=40)
    )
