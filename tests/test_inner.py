"""An agent inside another: it is copied with its conversation, and its costs add up."""

from __future__ import annotations

import threading

import pytest

from mlgym.agent import Decision, Observation
from mlgym.agent_loader import find_agent, make_agent
from mlgym.errors import ModelError
from mlgym.inner import InnerAgent
from mlgym.models.scripted import ScriptedModel, ScriptedReply
from mlgym.tools.registry import tool_specs
from mlgym.types import BriefLimits, ExitReason, TaskBrief, Usage

BRIEF = TaskBrief("toy", "Toy", "Do.", "payoff", "maximize", 0.0, BriefLimits(9, 60.0, 5.0))


def see(text: str = "", **fields) -> Observation:
    given = {"remaining_steps": 9, "remaining_s": 60.0, "cost_usd": 0.0, "metrics": None}
    return Observation(**{"text": text, "step": 1, "reward": 0.0, **given, **fields})


class Overheard(ScriptedModel):
    """Keeps what it was sent."""

    def __init__(self, replies):
        super().__init__(replies)
        self.sent = []

    def complete(self, messages, tools=()):
        self.sent.append([str(message["content"]) for message in messages])
        return super().complete(messages, tools)


@pytest.mark.parametrize("name", ["toolcaller", "react"])
def test_a_conversation_goes_on_apart_in_every_copy_with_one_model(name):
    replies = [
        ScriptedReply(text=f"```\necho {n}\n```", calls=(("bash", {"command": f"echo {n}"}),))
        for n in range(4)
    ]
    model = Overheard(replies)
    one = InnerAgent(make_agent(find_agent(name), model=model), None, (model,))
    one.agent.reset(BRIEF, tool_specs())
    assert one.agent.act(see()).action == "echo 0"
    other = one.fork()
    actions = [inner.agent.act(see(text)).action for inner, text in ((one, "A"), (other, "B"))]
    assert actions == ["echo 1", "echo 2"]
    other.agent.act(see("C"))
    *_, in_one, in_other, later = model.sent
    assert "A" in in_one[-1]
    assert "B" in in_other[-1]
    assert not any(text == "A" for text in later)
    assert len(later) == len(in_other) + 2


def test_calls_that_wait_are_copied_too():
    calls = (("bash", {"command": "a"}), ("bash", {"command": "b"}), ("bash", {"command": "c"}))
    model = ScriptedModel([ScriptedReply(calls=calls)])
    one = InnerAgent(make_agent(find_agent("toolcaller"), model=model), None, (model,))
    one.agent.reset(BRIEF, tool_specs())
    one.agent.act(see())
    other = one.fork()
    for inner in (one, other):
        assert [inner.agent.act(see("x")).action for _ in range(2)] == ["b", "c"]


class Plain:
    """An agent without a `fork`, with whatever it is given."""

    def __init__(self, held=None, ends=()):
        self.held, self.ends, self.seen = held, list(ends), []

    def reset(self, brief, tools):
        del brief, tools

    def act(self, observation):
        self.seen.append(observation)
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end


def test_an_agent_without_a_fork_is_copied_deeply_but_for_the_model():
    model = ScriptedModel([])
    model.lock = threading.Lock()
    one = InnerAgent(Plain(model, [Decision("a")]), None, (model,))
    other = one.fork()
    assert other.agent.held is model
    assert one.agent.act(see()).action == other.agent.act(see()).action == "a"


def test_an_agent_that_cannot_be_copied_is_told_what_it_lacks():
    with pytest.raises(TypeError, match=r"Plain cannot be copied, give it a fork\(\)"):
        InnerAgent(Plain(threading.Lock())).fork()


def test_what_was_spent_before_is_part_of_the_decision_and_gone_from_what_is_left():
    mine, before = Usage(1, 10, 0, 5, 0.25), Usage(2, 100, 0, 0, 0.5)
    plain = Plain(ends=[Decision("a", usage=mine)])
    left = see(remaining_usd=1.0, remaining_tokens=150)
    decision = InnerAgent(plain).ask(left, before)
    assert decision == Decision("a", usage=Usage(3, 110, 0, 5, 0.75))
    assert (plain.seen[0].remaining_usd, plain.seen[0].remaining_tokens) == (0.5, 50)
    for limit, reason in (
        ({"remaining_usd": 0.75}, ExitReason.COST_LIMIT),
        ({"remaining_tokens": 99}, ExitReason.TOKEN_LIMIT),
    ):
        assert InnerAgent(plain).ask(see(**limit), decision.usage).finish is reason
    assert len(plain.seen) == 1


def test_a_model_s_failure_does_not_lose_what_was_spent_before():
    inner = InnerAgent(Plain(ends=[ModelError("401"), ModelError("401")]))
    with pytest.raises(ModelError):
        inner.ask(see(), Usage())
    spent = Usage(1, 10, 0, 0, 0.5)
    assert inner.ask(see(), spent) == Decision("", "401", spent, ExitReason.MODEL_ERROR)
