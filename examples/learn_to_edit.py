"""A small policy learns to edit a game's strategy, by trial, through shell and edit actions.

    python examples/learn_to_edit.py --out curve.png

The policy is a linear softmax over a menu of actions, from the words of the last observation; it
knows nothing of the game. It learns by REINFORCE from what `submit` pays, against the same policy
that does not learn. Two minutes a seed on two cores.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from menu import MENU, SIZE, features, softmax
from numpy.typing import NDArray

import mlgym

LEARNING_RATE = 0.5
MAX_STEPS = 5


class Policy:
    """A softmax over `MENU`, linear in the features."""

    def __init__(self, seed: int) -> None:
        self.weights = np.zeros((len(MENU), SIZE))
        self.usual = 0.0
        self._rng = np.random.default_rng(seed)

    def __call__(self, observations: Sequence[str], env_ids: NDArray[np.int64]) -> list[str]:
        del env_ids
        return [str(self._rng.choice(MENU, p=self.chances(text))) for text in observations]

    def chances(self, observation: str) -> NDArray[np.float64]:
        return softmax(self.weights @ features(observation))

    def learn(self, episode: Sequence[mlgym.Experience]) -> None:
        """One step of REINFORCE, against what episodes usually return."""
        total = sum(step.reward for step in episode)
        for step in episode:
            taken = np.zeros(len(MENU))
            taken[MENU.index(step.action)] = 1.0
            gradient = np.outer(taken - self.chances(step.observation), features(step.observation))
            self.weights += LEARNING_RATE * (total - self.usual) * gradient
        self.usual += 0.05 * (total - self.usual)


def train(seed: int, episodes: int, *, learn: bool) -> list[float]:
    """The return of each episode, in the order in which they ended."""
    policy, returns = Policy(seed), list[float]()
    episode: list[mlgym.Experience] = []
    envs = mlgym.make_vec(["battle_of_sexes"], num_envs=4, max_steps=MAX_STEPS, data="mini")
    try:
        for step in mlgym.rollouts(policy, envs, episodes, seed=seed):
            episode.append(step)
            if step.ended:
                returns.append(sum(step.reward for step in episode))
                if learn:
                    policy.learn(episode)
                episode = []
    finally:
        envs.close()
    return returns


def draw(curves: dict[str, list[list[float]]], out: Path) -> None:
    """Means over 25 episodes, a line a seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    for (name, runs), colour in zip(curves.items(), ("#0072B2", "#999999"), strict=True):
        for place, returns in enumerate(runs):
            means = np.convolve(returns, np.ones(25) / 25, "valid")
            label = name if place == 0 else None
            axes.plot(np.arange(len(means)) + 25, means, color=colour, label=label)
    axes.set(xlabel="episodes", ylabel="return, mean of 25", ylim=(0, 1.05))
    axes.legend(loc="upper left")
    figure.savefig(out, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=160)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("curve.png"))
    asked = parser.parse_args()
    curves: dict[str, list[list[float]]] = {"learning": [], "random": []}
    for seed in range(asked.seeds):
        for name, runs in curves.items():
            runs.append(train(seed, asked.episodes, learn=name == "learning"))
            last = runs[-1][-asked.episodes // 4 :]
            print(f"{name}, seed {seed}: last quarter returned {np.mean(last):.3f}", flush=True)
    asked.out.with_suffix(".json").write_text(json.dumps(curves) + "\n")
    draw(curves, asked.out)


if __name__ == "__main__":
    main()
