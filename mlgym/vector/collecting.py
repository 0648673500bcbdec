"""Whole episodes from a vector of environments: the transitions that a learner learns from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gymnasium.error import NoAsyncCallError
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from mlgym.errors import ConfigError, SandboxError
from mlgym.vector.batching import unbatched
from mlgym.vector.env import MLGymVectorEnv
from mlgym.vector.seat import FAILURE

Policy = Callable[[Sequence[str], NDArray[np.int64]], Sequence[str]]
"""Gives an action for each observation; the second argument are the environments' numbers."""
_TRIES = 3
"""After so many void ones in a row it is more than bad luck."""


@dataclass(frozen=True, slots=True)
class Experience:
    """One step, whole: what was seen, what was done, what came of it.

    `episode` counts from 0 in the order of the beginnings, `step` from 1. `next_observation` is the
    one that `action` led to, also where it ended the episode. `reward` is the environment's.
    """

    env_id: int
    episode: int
    step: int
    observation: str
    action: str
    reward: float
    next_observation: str
    terminated: bool
    truncated: bool
    info: Mapping[str, Any]

    @property
    def ended(self) -> bool:
        return self.terminated or self.truncated


def rollouts(
    policy: Policy, envs: MLGymVectorEnv, n: int, *, seed: int | None = None
) -> Iterator[Experience]:
    """Play `n` episodes, and yield their steps: each episode's together, once it has ended.

    Environments are asked as soon as they answer, so that a slow command holds up its own episode
    only. Exactly `n` episodes are begun and played to their ends, so that short ones are not
    favoured; one that the infrastructure broke is void: it is dropped, and played anew. With a
    `seed`, environment i is reset with `seed + i` at first.

    What is under way when this is left early is waited for.

    Raises:
        ValueError: `n` is negative, or the policy gives another number of actions.
        ConfigError: `envs` begin episodes anew by themselves.
        SandboxError: an environment's episodes were void several times in a row.
        AlreadyPendingCallError: steps of `envs` are under way.
    """
    if n < 0:
        raise ValueError(f"n is {n}, expected at least 0")
    if envs.autoreset_mode is not AutoresetMode.DISABLED:
        raise ConfigError(
            f"autoreset_mode: found {envs.autoreset_mode.value!r}, expected the default,"
            f" {AutoresetMode.DISABLED.value!r}: rollouts reset episodes themselves"
        )
    begun = min(n, envs.num_envs)
    playing = {number: _Episode(number) for number in range(begun)}
    if playing:
        seeds = None if seed is None else [seed + number for number in playing]
        envs.send_reset(list(playing), seeds)
    try:
        while playing:
            asked: list[int] = []
            over: list[int] = []
            for number, answer in _answers(envs):
                playing[number].take(answer)
                (over if playing[number].ended else asked).append(number)
            if asked:
                _ask(policy, envs, playing, asked)
            for number in over:
                episode = playing.pop(number)
                if episode.void:
                    playing[number] = episode.again()
                elif begun < n:
                    playing[number] = _Episode(begun)
                    begun += 1
                if number in playing:
                    envs.send_reset([number])
                if not episode.void:
                    yield from episode.steps(number)
    finally:
        if playing:
            with suppress(NoAsyncCallError):
                envs.recv(envs.num_envs)


def _ask(
    policy: Policy, envs: MLGymVectorEnv, playing: Mapping[int, _Episode], asked: list[int]
) -> None:
    ids = np.array(asked, dtype=np.int64)
    actions = policy([playing[number].seen[-1] for number in asked], ids)
    if len(actions) != len(asked):
        raise ValueError(f"the policy gave {len(actions)} actions, expected {len(asked)}")
    for number, action in zip(asked, actions, strict=True):
        playing[number].actions.append(action)
    envs.send(actions, ids)


@dataclass(frozen=True, slots=True)
class _Answer:
    text: str
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


def _answers(envs: MLGymVectorEnv) -> Iterator[tuple[int, _Answer]]:
    ids, texts, rewards, terminations, truncations, infos = envs.recv()
    for place, number in enumerate(ids):
        yield (
            int(number),
            _Answer(
                texts[place],
                float(rewards[place]),
                bool(terminations[place]),
                bool(truncations[place]),
                unbatched(infos, place),
            ),
        )


@dataclass(slots=True)
class _Episode:
    """What has happened in one. `tries` counts this one, after others that were void."""

    number: int
    tries: int = 1
    seen: list[str] = field(default_factory=list[str])
    actions: list[str] = field(default_factory=list[str])
    answers: list[_Answer] = field(default_factory=list[_Answer])
    ended: bool = False
    void: bool = False

    def take(self, answer: _Answer) -> None:
        """The answer to its reset, or to its last action."""
        self.void = FAILURE in answer.info
        self.ended = answer.terminated or answer.truncated or self.void
        if self.seen:
            self.answers.append(answer)
        self.seen.append(answer.text)

    def again(self) -> _Episode:
        if self.tries >= _TRIES:
            raise SandboxError(f"{self.tries} times in a row an episode was void: {self.seen[-1]}")
        return _Episode(self.number, self.tries + 1)

    def steps(self, env_id: int) -> Iterator[Experience]:
        for place, (action, answer) in enumerate(zip(self.actions, self.answers, strict=True)):
            yield Experience(
                env_id,
                self.number,
                place + 1,
                self.seen[place],
                action,
                answer.reward,
                answer.text,
                answer.terminated,
                answer.truncated,
                answer.info,
            )
