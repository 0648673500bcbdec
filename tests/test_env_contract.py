"""Gymnasium's own checks, repeatability, and the registered ids."""

from __future__ import annotations

import warnings
from pathlib import Path

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import check_env

import mlgym

TASKS = ["battle_of_sexes", "blotto", "house_price"]
SANDBOXES = ["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)]


@pytest.mark.usefixtures("base_image")
@pytest.mark.parametrize("sandbox", SANDBOXES)
@pytest.mark.parametrize("task", TASKS)
def test_gymnasiums_checker_passes_without_a_warning(task: str, sandbox: str) -> None:
    env = gym.make(f"mlgym/{task}-v1", sandbox=sandbox, data="mini")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    env.close()


# What is not fixed: docker makes a container's root folder (".." here), its /etc and /.dockerenv
# anew; the kernel counts all of its processes in /proc's links.
ACTIONS = [
    "ls -la | grep -v '\\.\\.$'",
    "pwd; cd /tmp; ls -lA -I dev -I proc -I sys -I etc -I .dockerenv /",
    "cd /workspace; head -c 300 README.md; id -un; env | sort",
    'open "README.md"',
    "search_dir def",
    "validate",
    "echo x > new; stat -c '%U %s' new",
    "create made.py\n<<END\nx = 1\nEND",
    "nonsense --flag",
    "submit",
]


@pytest.mark.usefixtures("base_image")
@pytest.mark.parametrize("sandbox", SANDBOXES)
@pytest.mark.parametrize("task", TASKS)
def test_same_seed_and_actions_give_the_same_twice(task: str, sandbox: str) -> None:
    def play() -> list[object]:
        env = gym.make(f"mlgym/{task}-v1", sandbox=sandbox, data="mini")
        try:
            return [env.reset(seed=7), *(env.step(action) for action in ACTIONS)]
        finally:
            env.close()

    assert play() == play()


def test_built_in_ids_are_those_of_the_tasks_folder(root: Path) -> None:
    from mlgym.registration import BUILTIN_TASKS
    from mlgym.task.spec import load_task

    found = [load_task(path.parent).spec for path in (root / "tasks").glob("*/task.yaml")]
    assert sorted(BUILTIN_TASKS) == sorted((spec.id, spec.version) for spec in found)
    assert all(f"mlgym/{name}-v{version}" in gym.registry for name, version in BUILTIN_TASKS)
    assert all(
        gym.registry[f"mlgym/{name}-v1"].max_episode_steps is None for name, _ in BUILTIN_TASKS
    )


def test_packs_are_registered_on_request(
    number_task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLGYM_PATH", str(number_task.parent.parent))
    assert mlgym.register_packs() == ["mlgym/number-v1"]
    env = gym.make("mlgym/number-v1")
    env.reset(seed=1)
    env.step("cp README.md answer.txt")
    env.close()
    del gym.registry["mlgym/number-v1"]
