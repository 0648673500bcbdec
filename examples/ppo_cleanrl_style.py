"""PPO as CleanRL writes it: one file, one loop, arrays of steps by environments. numpy only.

python examples/ppo_cleanrl_style.py --total-timesteps 512
"""

from __future__ import annotations

import argparse

import gymnasium as gym
import numpy as np
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from menu import MENU, SIZE, features, softmax

import mlgym  # registers the environments

assert mlgym


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env-id", default="mlgym/battle_of_sexes-v1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--total-timesteps", type=int, default=512)
    parser.add_argument("--num-envs", type=int, default=4)
    parser.add_argument("--num-steps", type=int, default=16)
    parser.add_argument("--max-steps", type=int, default=5)
    parser.add_argument("--learning-rate", type=float, default=1.0)
    parser.add_argument("--gamma", type=float, default=1.0)
    parser.add_argument("--gae-lambda", type=float, default=0.95)
    parser.add_argument("--update-epochs", type=int, default=4)
    parser.add_argument("--clip-coef", type=float, default=0.2)
    parser.add_argument("--ent-coef", type=float, default=0.01)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    rng = np.random.default_rng(args.seed)
    envs = RecordEpisodeStatistics(
        gym.make_vec(
            args.env_id,
            num_envs=args.num_envs,
            autoreset_mode=gym.vector.AutoresetMode.NEXT_STEP,
            max_steps=args.max_steps,
            data="mini",
        )
    )
    actor, critic = np.zeros((len(MENU), SIZE)), np.zeros(SIZE)
    shape = (args.num_steps, args.num_envs)
    texts, _ = envs.reset(seed=args.seed)
    done = np.zeros(args.num_envs, dtype=bool)
    for update in range(args.total_timesteps // (args.num_steps * args.num_envs)):
        obs = np.zeros((*shape, SIZE))
        actions = np.zeros(shape, dtype=int)
        logprobs, rewards, values = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        dones = np.zeros(shape, dtype=bool)
        returns: list[float] = []
        for step in range(args.num_steps):
            obs[step] = [features(text) for text in texts]
            dones[step] = done
            chances = softmax(obs[step] @ actor.T)
            for env in range(args.num_envs):
                actions[step, env] = rng.choice(len(MENU), p=chances[env])
            logprobs[step] = np.log(chances[np.arange(args.num_envs), actions[step]])
            values[step] = obs[step] @ critic
            texts, rewards[step], ended, cut, info = envs.step([MENU[a] for a in actions[step]])
            done = ended | cut
            if "episode" in info:
                returns += info["episode"]["r"][info["_episode"]].tolist()

        # What follows an end is the reset of the next episode: no action was taken there.
        advantages, carried = np.zeros(shape), np.zeros(args.num_envs)
        next_value = np.array([features(text) for text in texts]) @ critic
        next_done = done
        for step in reversed(range(args.num_steps)):
            going_on = 1.0 - next_done
            delta = rewards[step] + args.gamma * next_value * going_on - values[step]
            carried = delta + args.gamma * args.gae_lambda * going_on * carried
            advantages[step], next_value, next_done = carried, values[step], dones[step]
        taken = ~dones
        x, a, old = obs[taken], actions[taken], logprobs[taken]
        advantage, target = advantages[taken], (advantages + values)[taken]
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        for _ in range(args.update_epochs):
            chances = softmax(x @ actor.T)
            logs = np.log(chances)
            ratio = np.exp(logs[np.arange(len(a)), a] - old)
            bound = np.where(advantage > 0, 1 + args.clip_coef, 1 - args.clip_coef)
            free = np.where(advantage > 0, ratio < bound, ratio > bound)
            toward = np.eye(len(MENU))[a] - chances
            entropy = -(chances * logs).sum(1, keepdims=True)
            gradient = (free * ratio * advantage)[:, None] * toward
            gradient -= args.ent_coef * chances * (logs + entropy)
            actor += args.learning_rate * gradient.T @ x / len(a)
            critic += args.learning_rate * (target - x @ critic) @ x / len(a)
        mean = f"{np.mean(returns):.3f}" if returns else "none ended"
        print(f"update {update}: episodic_return={mean}", flush=True)
    envs.close()


if __name__ == "__main__":
    main()
