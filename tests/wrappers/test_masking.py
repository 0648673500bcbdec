"""Masked tools around a real environment: what is told, what is counted, what is not run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import SyncVectorEnv

from mlgym.env import MLGymEnv
from mlgym.errors import ConfigError
from mlgym.vector import MLGymVectorEnv
from mlgym.wrappers import History, MaskTools


@pytest.fixture
def env(number_task: Path) -> Iterator[MLGymEnv]:
    with_tools = ["bash", "open", "create", "submit"]
    env = MLGymEnv(number_task, sandbox="bubblewrap", max_steps=4, tools=with_tools)
    yield env
    env.close()


def test_a_masked_tool_runs_nothing_counts_as_a_step_and_says_what_is_allowed(
    env: MLGymEnv,
) -> None:
    masked = MaskTools(env, {"open", "submit"})
    assert masked.tool_names == tuple(spec.name for spec in env.tools)
    _, info = masked.reset(seed=0)
    mask = info["tool_mask"]
    assert (mask.dtype, mask.shape) == (np.int8, (4,))
    chosen = [name for name, bit in zip(masked.tool_names, mask, strict=True) if bit]
    assert chosen == ["open", "submit"]
    text, reward, terminated, truncated, info = masked.step("echo 5 > answer.txt")
    assert text == "The tool bash is masked now; nothing was run. Allowed now: open, submit.\n"
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert (info["step"], info["remaining_steps"], info["tool"]) == (1, 3, "bash")
    assert info["tool_mask"].tolist() == mask.tolist()
    last = env.last_transition
    assert last is not None
    assert (last.action, last.exit_code) == ("echo 5 > answer.txt", None)
    assert "create is masked" in masked.step("create answer.txt\n<<END\n5\nEND")[0]
    assert "Write a number" in masked.step('open "README.md"')[0]
    # A policy that asks for what it may not have ends like any other.
    assert masked.step("true")[3]


def test_a_function_opens_and_closes_tools_from_step_to_step(env: MLGymEnv) -> None:
    def allowed(observation: str, info: dict[str, Any]) -> set[str]:
        return {"bash", "submit"} if info["step"] and "ready" in observation else {"bash"}

    masked = MaskTools(History(env, brief=False), allowed)
    _, info = masked.reset(seed=0)
    assert int(info["tool_mask"].sum()) == 1
    assert "Allowed now: bash." in masked.step("submit")[0]
    info = masked.step("echo 3 > answer.txt; echo ready")[4]
    assert int(info["tool_mask"].sum()) == 2
    assert masked.step("submit")[2]


def test_names_that_are_no_tools_of_the_environment_are_refused(env: MLGymEnv) -> None:
    with pytest.raises(ConfigError, match="unknown tool 'opn'"):
        MaskTools(env, ["opn"])
    with pytest.raises(ConfigError, match="'validate'"):
        MaskTools(env, ["validate"])
    with pytest.raises(ConfigError, match="'shell'"):
        MaskTools(env, lambda *_: ["shell"]).reset()


def test_gymnasium_checks_and_vectorises_it(env: MLGymEnv, number_task: Path) -> None:
    check_env(MaskTools(env, {"bash"}), skip_render_check=True, skip_close_check=True)

    def make() -> gym.Env[str, str]:
        return MaskTools(MLGymEnv(number_task, sandbox="bubblewrap"), {"open"})

    envs = SyncVectorEnv([make, make])
    try:
        _, infos = envs.reset(seed=0)
        tools = envs.get_attr("tool_names")[0]
        assert infos["tool_mask"].shape == (2, len(tools))
        assert infos["tool_mask"].sum(axis=1).tolist() == [1, 1]
        assert all("is masked" in text for text in envs.step(("true", "false"))[0])
    finally:
        envs.close()


def test_environments_of_a_vector_are_masked_by_an_attribute_each_its_own(
    number_task: Path,
) -> None:
    with MLGymVectorEnv(number_task, 2, sandbox="bubblewrap") as envs:
        envs.reset(seed=0)
        envs.set_attr("masked", [{"bash"}, ()])
        first, second = envs.step(("echo hi", "echo hi"))[0]
        assert (first.split(";")[0], second) == ("The tool bash is masked now", "hi\n")
        envs.set_attr("masked", {"submit"})
        assert envs.step(("echo hi", "echo hi"))[0] == ("hi\n", "hi\n")
