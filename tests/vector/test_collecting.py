"""Whole episodes out of a vector: each step complete, none favoured, the void ones dropped."""

import os
import signal
from collections import Counter
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest

import mlgym
from mlgym.errors import ConfigError, SandboxError
from mlgym.vector import MLGymVectorEnv

PLAN = ("echo 4 > answer.txt", "validate", "echo 6 > answer.txt", "submit")


@pytest.fixture
def envs(number_task):
    envs = MLGymVectorEnv(number_task, 3, max_steps=6)
    yield envs
    envs.close()


def kill(envs, number):
    # It may have died of the kill before, of which no step has told yet.
    with suppress(ProcessLookupError):
        os.kill(envs.envs[number].sandbox._launcher._guest_pid, signal.SIGKILL)


class Planned:
    """Does the same in every episode, as far as it has come in each environment."""

    def __init__(self, plan=PLAN):
        self.plan = plan
        self.at = Counter()
        self.batches = []

    def __call__(self, observations, env_ids):
        self.batches.append(len(observations))
        chosen = []
        for text, number in zip(observations, env_ids, strict=True):
            if text.startswith("Write a number"):
                self.at[number] = 0
            chosen.append(self.plan[self.at[number]])
            self.at[number] += 1
        return chosen


def test_episodes_come_whole_and_as_many_as_wanted(envs):
    policy = Planned()
    found = list(mlgym.rollouts(policy, envs, 7, seed=3))
    assert Counter(step.episode for step in found) == dict.fromkeys(range(7), len(PLAN))
    for one, other in pairwise(found):
        if not one.ended:
            assert (one.episode, one.env_id) == (other.episode, other.env_id)
            assert one.next_observation == other.observation
            assert one.step + 1 == other.step
    ends = [step for step in found if step.ended]
    assert [step.action for step in found[: len(PLAN)]] == list(PLAN)
    assert {step.info["exit_reason"] for step in ends} == {"submitted"}
    assert {step.terminated for step in ends} == {True}
    returns = Counter()
    for step in found:
        returns[step.episode] += step.reward
    assert list(returns.values()) == pytest.approx([ends[0].info["score"]] * 7)
    assert found[1].info["metrics"] == {"value": 4.0}
    assert type(found[1].info["step"]) is int
    # Nothing is under way, and fewer episodes than environments are no more.
    assert len(list(mlgym.rollouts(policy, envs, 2))) == 2 * len(PLAN)
    assert list(mlgym.rollouts(policy, envs, 0)) == []


def test_a_slow_environment_holds_up_its_own_episode_only(envs):
    def policy(observations, env_ids):
        return [
            "submit" if not text.startswith("Write") else "sleep 1" if number == 0 else "true"
            for text, number in zip(observations, env_ids, strict=True)
        ]

    found = list(mlgym.rollouts(policy, envs, 5))
    ends = [step for step in found if step.ended]
    assert [step.env_id for step in ends][-1] == 0
    assert len(ends) == 5


def test_a_void_episode_is_dropped_and_played_anew(envs):
    killed = []

    def planned(observations, env_ids):
        if not killed and 1 in env_ids:
            killed.append(True)
            kill(envs, 1)
        return [
            "echo 6 > answer.txt" if text.startswith("Write") else "submit" for text in observations
        ]

    found = list(mlgym.rollouts(planned, envs, 3))
    assert Counter(step.episode for step in found) == {0: 2, 1: 2, 2: 2}
    assert not any("infrastructure_failure" in step.info for step in found)


def test_what_is_void_again_and_again_is_told(envs):
    def policy(observations, env_ids):
        for number in env_ids:
            kill(envs, number)
        return ["true"] * len(env_ids)

    with pytest.raises(SandboxError, match="3 times in a row an episode was void"):
        list(mlgym.rollouts(policy, envs, 1))
    # What was under way was waited for.
    envs.reset()


def test_a_policy_s_mistakes_are_told_and_leave_the_vector_usable(envs):
    with pytest.raises(ValueError, match="the policy gave 0 actions, expected"):
        list(mlgym.rollouts(lambda *_: [], envs, 3))
    with pytest.raises(ValueError, match="expected at least 0"):
        next(mlgym.rollouts(Planned(), envs, -1))
    envs.reset()
    left = mlgym.rollouts(Planned(), envs, 4)
    next(left)
    left.close()
    assert envs.reset(seed=1)[0][0].startswith("Write a number")


def test_vectors_that_reset_themselves_are_refused(number_task):
    envs = MLGymVectorEnv(number_task, 2, autoreset_mode="NextStep")
    with pytest.raises(ConfigError, match="rollouts reset episodes themselves"):
        next(mlgym.rollouts(Planned(), envs, 1))
    envs.close()


def test_resets_are_begun_while_others_are_stepped(envs):
    envs.send_reset([0, 2], [5, 6])
    ids, texts, rewards, *_, infos = envs.recv(2)
    assert ids.tolist() == [0, 2]
    assert all(text.startswith("Write a number") for text in texts)
    assert rewards.tolist() == [0.0, 0.0]
    assert infos["tool"].tolist() == ["reset", "reset"]
    envs.send(["sleep 0.3"], [0])
    envs.send_reset([1])
    assert envs.recv()[0].tolist() == [1]
    assert envs.recv()[0].tolist() == [0]
    with pytest.raises(ValueError, match="env_ids"):
        envs.send_reset([1, 1])
    assert np.array_equal(envs.get_attr("step_count"), (1, 0, 0))
