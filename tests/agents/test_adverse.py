"""Whatever model and server do, an episode ends with its score or its reason, and is paid for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import adverse_models  # noqa: F401 - fills the table
import pytest
from adverse import CASES, Case, Tongue
from adverse_servers import PRICE
from model_server import ModelServer

from mlgym.agent_loader import find_agent, make_agent
from mlgym.env import MLGymEnv
from mlgym.models.litellm import LiteLLMModel
from mlgym.models.settings import ModelSettings
from mlgym.rollout import Outcome, rollout
from mlgym.trajectory import to_line
from mlgym.types import Transition, Usage

STEPS = 8
VOID = "model_error"


def make_env(folder: Path, wall_s: float) -> MLGymEnv:
    spec = folder / "task.yaml"
    spec.write_text(
        spec.read_text().replace("wall_s: 60, command_s: 20", f"wall_s: {wall_s}, command_s: 0.5")
    )
    return MLGymEnv(folder, sandbox="bubblewrap", max_steps=STEPS)


@pytest.fixture(scope="module")
def envs(tmp_path_factory, lay_number_task) -> Iterator[dict[bool, MLGymEnv]]:
    """Two environments for all episodes: one in a hurry, one not."""
    made = {
        hurried: make_env(
            lay_number_task(tmp_path_factory.mktemp("number")), 1.0 if hurried else 60
        )
        for hurried in (False, True)
    }
    yield made
    for env in made.values():
        env.close()


def play(env: MLGymEnv, agent: str, case: Case) -> tuple[Outcome, list[Transition], ModelServer]:
    kept: list[Transition] = []
    answers = case.tell(Tongue(agent))
    with ModelServer(answers, **case.server) as server:
        settings = ModelSettings(api_base=server.url, price=PRICE, **{"retries": 4, **case.model})
        model = LiteLLMModel("openai/tester", settings, sleep=lambda _: None)
        outcome = rollout(
            env,
            make_agent(find_agent(agent), model=model),
            seed=0,
            limits=case.limits,
            on_transition=kept.append,
            fallback=lambda: make_agent(find_agent("react"), model=model),
        )
    return outcome, kept, server


@pytest.mark.parametrize("agent", ["toolcaller", "react"])
@pytest.mark.parametrize("name", CASES)
def test_no_episode_is_lost(envs: dict[bool, MLGymEnv], agent: str, name: str) -> None:
    case = CASES[name]
    outcome, kept, server = play(envs[case.hurried], agent, case)
    reason, value = case.ends[agent]
    assert outcome.exit_reason == reason, outcome.error
    unscored = "infrastructure_failure" if reason == VOID else "unscored"
    assert outcome.status == (unscored if value is None else "scored"), kept[-1].observation
    assert value is None or outcome.score.metrics == {"value": value}
    assert [step.step for step in kept] == list(range(len(kept)))
    assert [step.terminated or step.truncated for step in kept] == [False] * (len(kept) - 1) + [
        True
    ]
    assert outcome.steps <= STEPS
    adds_up(outcome, kept, server)


def adds_up(outcome: Outcome, kept: list[Transition], server: ModelServer) -> None:
    """What was used is what the server counted, to the token and the cent, by step and in all."""
    used = outcome.usage
    assert sum((step.usage for step in kept if step.usage), Usage()) == used
    assert (used.input_tokens, used.output_tokens) == (server.input_tokens, server.output_tokens)
    assert used.cost_usd == pytest.approx(server.input_tokens * PRICE[0] / 1e6, abs=1e-9)


def test_the_table_has_what_it_promises() -> None:
    assert len(CASES) >= 60


SAME = [
    "a_megabyte_of_output_each_step_in_a_small_window",
    "twenty_calls_in_one_reply",
    "some_500s",
    "work_under_a_cost_limit_4",
]


@pytest.mark.parametrize("agent", ["toolcaller", "react"])
@pytest.mark.parametrize("name", SAME)
def test_the_same_script_and_seed_give_the_same_trajectory_but_for_times(
    envs: dict[bool, MLGymEnv], agent: str, name: str
) -> None:
    first, second = (timeless(play(envs[False], agent, CASES[name])[1]) for _ in range(2))
    assert first == second


def timeless(kept: list[Transition]) -> str:
    """`trajectory.jsonl` with its two times at 0."""
    return "".join(to_line(replace(step, time=0.0, duration_s=0.0)) for step in kept)
