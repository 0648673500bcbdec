"""TRL's own trainer trains on a real task; what is void, over or wrong on the way is told."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
from tiny_trainee import lay_trainee

from mlgym.errors import ConfigError, SandboxError

pytest.importorskip("trl", reason="TRL is not installed: make test-integrations installs it")

from mlgym.integrations.trl import (
    Environment,
    dataset,
    environment_factory,
    reward_return,
)

SETTINGS = {"max_steps": 6, "data": "mini", "sandbox": "bubblewrap"}


@pytest.fixture
def made(number_task: Path):
    """A factory of environments of a task that is graded in no time."""
    return environment_factory(number_task, sandbox="bubblewrap")


def turn(*last: str) -> list[dict[str, str]]:
    return [{"role": role, "content": "..."} for role in last]


def test_grpo_trains_a_model_on_a_real_task_and_logs_what_it_was_paid(tmp_path: Path):
    from trl import GRPOConfig, GRPOTrainer

    rows = dataset("battle_of_sexes", 12, **SETTINGS)
    lay_trainee(tmp_path / "model", rows[0]["prompt"][-1]["content"])
    trainer = GRPOTrainer(
        model=str(tmp_path / "model"),
        reward_funcs=reward_return,
        train_dataset=rows,
        environment_factory=environment_factory(
            "battle_of_sexes", tools=["bash", "validate", "submit"], **SETTINGS
        ),
        args=GRPOConfig(
            output_dir=str(tmp_path / "out"),
            max_steps=3,
            per_device_train_batch_size=4,
            num_generations=4,
            max_completion_length=512,
            max_tool_calling_iterations=2,
            learning_rate=0.02,
            logging_steps=1,
            report_to=[],
            save_strategy="no",
            use_cpu=True,
            seed=1,
        ),
    )
    before = {name: weight.clone() for name, weight in trainer.model.named_parameters()}
    trainer.train()
    logs = [line for line in trainer.state.log_history if "rewards/reward_return/mean" in line]
    assert len(logs) == 3
    assert max(line["rewards/reward_return/std"] for line in logs) > 0.1
    assert len({round(line["rewards/reward_return/mean"], 3) for line in logs}) > 1
    assert [line["mlgym/void"] for line in logs] == [0, 0, 0]
    assert min(line["mlgym/steps"] for line in logs) > 0
    assert any(not weight.equal(before[name]) for name, weight in trainer.model.named_parameters())


def test_every_tool_is_a_method_with_the_schema_that_the_environment_has(made):
    from transformers.utils import get_json_schema

    from mlgym.tools.registry import tool_specs

    environment = made()
    found = {
        name: get_json_schema(getattr(environment, name))["function"]
        for name, _ in inspect.getmembers(type(environment), predicate=inspect.isfunction)
        if not name.startswith("_") and name != "reset"
    }
    wanted = {spec.name: spec for spec in tool_specs(without=["view_image", "literature_search"])}
    assert found.keys() == wanted.keys()
    for name, spec in wanted.items():
        told, rules = found[name]["parameters"], spec.parameters
        assert found[name]["description"] == spec.description
        assert told.get("required", []) == list(rules["required"])
        for parameter, schema in rules["properties"].items():
            assert told["properties"][parameter]["type"] == schema["type"]
            assert told["properties"][parameter]["description"] == schema["description"]


def test_an_episode_s_return_is_the_reward_and_what_runs_on_is_ended_and_graded(made):
    handed_in, left, idle = (made() for _ in range(3))
    for environment in (handed_in, left, idle):
        assert "Write a number into answer.txt" in environment.reset(seed=0)
    handed_in.bash(command="echo 6 > answer.txt")
    assert "over (submitted)" in handed_in.submit()
    left.bash(command="echo 9 > answer.txt")
    logged, columns = {}, {}
    rewards = reward_return(
        [turn("assistant"), turn("assistant", "tool"), turn("assistant")],
        [handed_in, left, idle],
        log_metric=logged.__setitem__,
        log_extra=columns.__setitem__,
    )
    assert rewards == pytest.approx([0.5, 0.8, 0])
    assert columns["exit_reason"] == ["submitted", "token_limit", "format_errors"]
    assert logged == pytest.approx({"mlgym/scored": 2 / 3, "mlgym/void": 0, "mlgym/steps": 1})


def test_what_the_model_does_wrong_is_an_answer_and_costs_no_step(made):
    environment = made()
    environment.reset()
    assert "has no parameter 'lin'" in environment.open(path="README.md", lin=3)
    assert "needs the parameter 'command'" in environment.bash()
    assert environment.env.step_count == 0
    environment.forfeit()
    assert environment.bash(command="ls") == "The episode is over (forfeited): nothing was done."
    assert environment.episode_return == 0


def test_an_episode_whose_sandbox_is_lost_gets_no_reward_and_the_next_one_is_whole(
    made, monkeypatch
):
    environment = made()
    environment.reset()
    environment.bash(command="echo 9 > answer.txt")
    environment.validate()
    with monkeypatch.context() as patch:
        patch.setattr(type(environment.env.sandbox), "run", _lost)
        assert environment.bash(command="ls") == "The episode is lost: gone"
    assert environment.bash(command="ls") == "The episode is lost: gone"
    assert reward_return([turn("assistant")], [environment]) == [None]
    environment.reset()
    environment.bash(command="echo 9 > answer.txt")
    assert reward_return([turn("assistant")], [environment]) == pytest.approx([0.8])


def _lost(*_: object) -> None:
    raise SandboxError("gone")


def test_a_row_s_data_seed_is_the_data_that_is_played_and_its_prompt_is_not_told_twice():
    rows = dataset("house_price", 4, data_seeds=[3, 4], sandbox="bubblewrap")
    assert [row["data_seed"] for row in rows] == [3, 4, 3, 4]
    assert [row["seed"] for row in rows] == [0, 1, 2, 3]
    environment = environment_factory("house_price", sandbox="bubblewrap")()
    for row in list(rows)[:2]:
        assert environment.reset(**row) is None
        assert environment.env.laboratory.data_seed == row["data_seed"]


def test_several_tasks_are_dealt_in_turn_with_the_name_that_a_mapping_of_factories_has():
    rows = dataset(["blotto", "battle_of_sexes"], 4, sandbox="bubblewrap")
    assert rows["environment"][:3] == ["blotto", "battle_of_sexes", "blotto"]
    assert "Blotto" in json.dumps(rows[2]["prompt"])


def test_bad_words_are_refused_before_anything_is_started():
    with pytest.raises(ConfigError, match="unknown tool 'bahs'"):
        environment_factory("blotto", tools=["bahs"])
    with pytest.raises(ConfigError, match="at least 1 episode"):
        dataset("blotto", 0)
    assert isinstance(environment_factory("blotto")(), Environment)
