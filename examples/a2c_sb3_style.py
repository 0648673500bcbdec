"""A2C with the face of Stable-Baselines3: `A2C(env).learn(total_timesteps)`, `predict`; in numpy.

    python examples/a2c_sb3_style.py --total-timesteps 512

Its environments reset themselves within the step that ends an episode, as SB3's do: what an
observation was then is in `infos["final_obs"]`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from menu import MENU, SIZE, features, softmax
from numpy.typing import NDArray

import mlgym  # registers the environments

assert mlgym


class A2C:
    """A linear policy and value, improved after every `n_steps` steps of all environments."""

    def __init__(
        self,
        env: gym.vector.VectorEnv[Any, Any, Any],
        *,
        n_steps: int = 5,
        learning_rate: float = 1.0,
        gamma: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.env = env
        self.n_steps, self.learning_rate, self.gamma = n_steps, learning_rate, gamma
        self.num_timesteps = 0
        self.ep_returns: list[float] = []
        self._actor, self._critic = np.zeros((len(MENU), SIZE)), np.zeros(SIZE)
        self._rng = np.random.default_rng(seed)
        self._texts, _ = env.reset(seed=seed)
        self._returns = np.zeros(env.num_envs)

    def predict(self, texts: Sequence[str], *, deterministic: bool = False) -> NDArray[np.int64]:
        """A place in `MENU` for each observation."""
        chances = softmax(np.array([features(text) for text in texts]) @ self._actor.T)
        if deterministic:
            return chances.argmax(1)
        return np.array([self._rng.choice(len(MENU), p=each) for each in chances])

    def learn(self, total_timesteps: int, callback: Callable[[A2C], None] = lambda _: None) -> A2C:
        """Play and improve, for so many steps; `callback` is called after each improvement."""
        while self.num_timesteps < total_timesteps:
            self.train(*self.collect_rollouts())
            callback(self)
        return self

    def collect_rollouts(
        self,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """Features `[steps, envs, SIZE]`, actions and returns-to-go `[steps, envs]`."""
        shape = (self.n_steps, self.env.num_envs)
        x, actions = np.zeros((*shape, SIZE)), np.zeros(shape, dtype=np.int64)
        rewards, dones = np.zeros(shape), np.zeros(shape)
        for step in range(self.n_steps):
            x[step] = [features(text) for text in self._texts]
            actions[step] = self.predict(self._texts)
            chosen = [MENU[action] for action in actions[step]]
            self._texts, rewards[step], ended, cut, _ = self.env.step(chosen)
            dones[step] = ended | cut
            self.num_timesteps += self.env.num_envs
            self._returns += rewards[step]
            for number in np.flatnonzero(dones[step]):
                self.ep_returns.append(float(self._returns[number]))
                self._returns[number] = 0.0
        # An episode that the budget cut was graded, as one that ended: nothing comes after it.
        following = np.array([features(text) for text in self._texts]) @ self._critic
        returns = np.zeros(shape)
        for step in reversed(range(self.n_steps)):
            following = rewards[step] + self.gamma * (1 - dones[step]) * following
            returns[step] = following
        return x, actions, returns

    def train(
        self,
        x: NDArray[np.float64],
        actions: NDArray[np.int64],
        returns: NDArray[np.float64],
    ) -> None:
        """One step up the policy's gradient, one towards the returns."""
        x, actions, returns = x.reshape(-1, SIZE), actions.ravel(), returns.ravel()
        advantage = returns - x @ self._critic
        toward = np.eye(len(MENU))[actions] - softmax(x @ self._actor.T)
        self._actor += self.learning_rate * (advantage[:, None] * toward).T @ x / len(x)
        self._critic += self.learning_rate * advantage @ x / len(x)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--total-timesteps", type=int, default=512)
    asked = parser.parse_args()
    env = gym.make_vec(
        "mlgym/battle_of_sexes-v1",
        num_envs=4,
        autoreset_mode=gym.vector.AutoresetMode.SAME_STEP,
        max_steps=5,
        data="mini",
    )

    def report(model: A2C) -> None:
        recent = model.ep_returns[-20:]
        mean = f"{np.mean(recent):.3f}" if recent else "none yet"
        print(f"{model.num_timesteps} steps: ep_rew_mean={mean}", flush=True)

    A2C(env).learn(asked.total_timesteps, report)
    env.close()


if __name__ == "__main__":
    main()
