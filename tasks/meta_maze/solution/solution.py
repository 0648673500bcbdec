"""PPO for a policy with a memory: whole episodes are the sequences that it learns from.

The goal stays where it is for an episode of 200 steps, and finding it moves the walker elsewhere.
So what pays is to search once, to remember, and to go straight back.
"""

import os
from pathlib import Path

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from policy import ACTIONS, HIDDEN, initial_weights, network

SEED = int(os.environ.get("SEED", "0"))
ENVS, STEPS, UPDATES = 128, 200, int(os.environ.get("UPDATES", "240"))
EPOCHS, MINIBATCHES = 4, 4
LEARNING_RATE, CLIP, ENTROPY = 3e-3, 0.2, 0.01
GAMMA, LAMBDA = 0.98, 0.95
REWARD_SCALE = 0.1

env, params = gymnax.make("MetaMaze-misc")
rate = optax.linear_schedule(LEARNING_RATE, 0.0, UPDATES * EPOCHS * MINIBATCHES)
optimizer = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(rate))
everywhere = jax.vmap(network, in_axes=(None, 0, 0))


def collect(weights, key, observations, states, memory):
    """All environments for STEPS steps: what was seen, chosen and earned, [STEPS, ENVS, ...]."""

    def step(carry, key):
        observations, states, memory = carry
        key_act, key_step = jax.random.split(key)
        logits, values, memory = everywhere(weights, memory, observations)
        actions = jax.random.categorical(key_act, logits)
        after, states, rewards, dones, _ = jax.vmap(env.step, in_axes=(0, 0, 0, None))(
            jax.random.split(key_step, ENVS), states, actions, params
        )
        densities = jax.nn.log_softmax(logits)[jnp.arange(ENVS), actions]
        path = (observations, actions, densities, values, REWARD_SCALE * rewards, dones)
        return (after, states, memory), path

    return jax.lax.scan(step, (observations, states, memory), jax.random.split(key, STEPS))


def estimate(values, rewards, dones, last_values):
    """Advantages, [STEPS, ENVS], by generalised advantage estimation."""

    def back(carry, now):
        advantages, next_values = carry
        values, rewards, dones = now
        deltas = rewards + GAMMA * next_values * (1 - dones) - values
        advantages = deltas + GAMMA * LAMBDA * advantages * (1 - dones)
        return (advantages, values), advantages

    start = (jnp.zeros(ENVS), last_values)
    return jax.lax.scan(back, start, (values, rewards, dones), reverse=True)[1]


def loss(weights, memory, batch):
    """`batch` holds sequences, [STEPS, n, ...], and `memory` what came before each of them."""
    observations, actions, densities, advantages, targets = batch

    def step(memory, observations):
        logits, values, memory = everywhere(weights, memory, observations)
        return memory, (logits, values)

    _, (logits, values) = jax.lax.scan(step, memory, observations)
    logs = jax.nn.log_softmax(logits)
    ratio = jnp.exp((logs * jax.nn.one_hot(actions, ACTIONS)).sum(axis=-1) - densities)
    scaled = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    actor = jnp.minimum(ratio * scaled, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * scaled)
    entropy = -(jnp.exp(logs) * logs).sum(axis=-1)
    return 0.5 * ((values - targets) ** 2).mean() - actor.mean() - ENTROPY * entropy.mean()


@jax.jit
def update(weights, moments, worlds, key):
    key_collect, key_learn = jax.random.split(key)
    before = worlds[2]
    worlds, path = collect(weights, key_collect, *worlds)
    seen, actions, densities, values, rewards, dones = path
    advantages = estimate(values, rewards, dones, everywhere(weights, worlds[2], worlds[0])[1])
    data = (seen, actions, densities, advantages, advantages + values)

    def learn(carry, chosen):
        weights, moments = carry
        batch = jax.tree.map(lambda x: x[:, chosen], data)
        gradient = jax.grad(loss)(weights, before[chosen], batch)
        change, moments = optimizer.update(gradient, moments)
        return (optax.apply_updates(weights, change), moments), None

    def epoch(carry, key):
        order = jax.random.permutation(key, ENVS).reshape(MINIBATCHES, -1)
        return jax.lax.scan(learn, carry, order)

    carry = jax.lax.scan(epoch, (weights, moments), jax.random.split(key_learn, EPOCHS))[0]
    return *carry, worlds, rewards.sum() / REWARD_SCALE / (ENVS * STEPS / 200)


def main():
    key, key_weights, key_reset = jax.random.split(jax.random.key(SEED), 3)
    weights = initial_weights(key_weights)
    moments = optimizer.init(weights)
    observations, states = jax.vmap(env.reset, in_axes=(0, None))(
        jax.random.split(key_reset, ENVS), params
    )
    worlds = (observations, states, jnp.zeros((ENVS, HIDDEN)))
    for number in range(UPDATES):
        key, key_update = jax.random.split(key)
        weights, moments, worlds, earned = update(weights, moments, worlds, key_update)
        if (number + 1) % 20 == 0:
            print(f"update {number + 1:3d}: {earned:6.1f} in 200 steps", flush=True)
    Path("weights").mkdir(exist_ok=True)
    np.savez("weights/policy.npz", **weights)
    print("wrote weights/policy.npz")


if __name__ == "__main__":
    main()
