"""Agents asked by hand: a brief, observations, and a model at a real server on loopback."""

import pytest
from model_server import ModelServer

from mlgym.agent import Observation
from mlgym.agent_loader import find_agent, make_agent
from mlgym.models.litellm import LiteLLMModel
from mlgym.models.settings import ModelSettings
from mlgym.tools.registry import tool_specs
from mlgym.types import BriefLimits, TaskBrief

BRIEF = TaskBrief(
    task="toy",
    title="A toy",
    description="Predict the squares.",
    metric="error",
    goal="minimize",
    baseline=2.0,
    limits=BriefLimits(steps=50, wall_s=3600, command_s=600),
)


def see(text: str = "Predict the squares.", step: int = 0, **fields) -> Observation:
    given = {
        "remaining_steps": 50 - step,
        "remaining_s": 3000.0,
        "cost_usd": 0.25,
        "metrics": None,
        "reward": 0.0,
        **fields,
    }
    return Observation(text=text, step=step, **given)


class Desk:
    """An agent in its episode. `say` shows it an observation and gives its decision."""

    def __init__(self, name: str, server: ModelServer, settings: dict, **model_settings):
        self.entries = []
        made = ModelSettings(api_base=server.url, price=(1.0, 2.0), **model_settings)
        model = LiteLLMModel("openai/tester", made, self.entries.append, lambda _: None)
        self.server = server
        self.agent = make_agent(find_agent(name), model=model, settings=settings)
        self.decisions = []
        self.start()

    def start(self) -> None:
        self.agent.reset(BRIEF, tool_specs())
        self.step = 0

    def say(self, text: str | None = None, **fields):
        shown = see(step=self.step, **fields) if text is None else see(text, self.step, **fields)
        self.decisions.append(self.agent.act(shown))
        self.step += 1
        return self.decisions[-1]

    def sent(self, request: int = -1) -> list[dict]:
        """The messages of a request."""
        return self.server.requests[request]["messages"]

    def check_sums(self) -> None:
        """What the decisions say was used is what the server counted."""
        usages = [decision.usage for decision in self.decisions]
        server = self.server
        assert sum(usage.input_tokens for usage in usages) == server.input_tokens
        assert sum(usage.output_tokens for usage in usages) == server.output_tokens
        assert sum(usage.cached_tokens for usage in usages) == server.cached_tokens
        assert sum(usage.calls for usage in usages) == server.answers
        cost = (server.input_tokens + 2 * server.output_tokens) / 1e6
        assert sum(usage.cost_usd for usage in usages) == pytest.approx(cost)


@pytest.fixture
def desk(request):
    """`desk(script, **settings)`: the agent after which the test module is named, at a server."""
    name = request.module.__name__.rpartition("test_")[2]
    opened = []

    def make(script, window=None, model=None, **settings) -> Desk:
        server = ModelServer(script, window=window).__enter__()
        opened.append(server)
        return Desk(name, server, settings, **(model or {}))

    yield make
    for server in opened:
        server.__exit__(None, None, None)
