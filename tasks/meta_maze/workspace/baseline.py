"""PPO on MetaMaze: trains the network of policy.py and writes weights/policy.npz."""

import os
from pathlib import Path

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from policy import ACTIONS, initial_weights, network

SEED = int(os.environ.get("SEED", "0"))
ENVS, STEPS, UPDATES = 64, 128, 120
EPOCHS, MINIBATCHES = 4, 4
LEARNING_RATE, CLIP, ENTROPY = 1e-3, 0.2, 0.01
GAMMA, LAMBDA = 0.99, 0.95

env, params = gymnax.make("MetaMaze-misc")
optimizer = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(LEARNING_RATE))
everywhere = jax.vmap(network, in_axes=(None, 0))


def collect(weights, key, observation, state):
    """One environment for STEPS steps: what was seen, chosen and earned."""

    def step(carry, key):
        observation, state = carry
        key_act, key_step = jax.random.split(key)
        logits, value = network(weights, observation)
        action = jax.random.categorical(key_act, logits)
        after, state, reward, done, _ = env.step(key_step, state, action, params)
        path = (observation, action, jax.nn.log_softmax(logits)[action], value, reward, done)
        return (after, state), path

    return jax.lax.scan(step, (observation, state), jax.random.split(key, STEPS))


def estimate(values, rewards, dones, last_value):
    """Advantages of one environment's steps, by generalised advantage estimation."""

    def back(carry, now):
        advantage, next_value = carry
        value, reward, done = now
        delta = reward + GAMMA * next_value * (1 - done) - value
        advantage = delta + GAMMA * LAMBDA * advantage * (1 - done)
        return (advantage, value), advantage

    return jax.lax.scan(back, (0.0, last_value), (values, rewards, dones), reverse=True)[1]


def loss(weights, batch):
    observations, actions, densities, advantages, targets = batch
    logits, values = everywhere(weights, observations)
    logs = jax.nn.log_softmax(logits)
    ratio = jnp.exp((logs * jax.nn.one_hot(actions, ACTIONS)).sum(axis=1) - densities)
    scaled = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    actor = jnp.minimum(ratio * scaled, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * scaled)
    entropy = -(jnp.exp(logs) * logs).sum(axis=1)
    return 0.5 * ((values - targets) ** 2).mean() - actor.mean() - ENTROPY * entropy.mean()


@jax.jit
def update(weights, memory, observations, states, key):
    key_collect, key_learn = jax.random.split(key)
    (observations, states), path = jax.vmap(collect, in_axes=(None, 0, 0, 0))(
        weights, jax.random.split(key_collect, ENVS), observations, states
    )
    seen, actions, densities, values, rewards, dones = path
    advantages = jax.vmap(estimate)(values, rewards, dones, everywhere(weights, observations)[1])
    data = (seen, actions, densities, advantages, advantages + values)
    data = jax.tree.map(lambda x: x.reshape(ENVS * STEPS, *x.shape[2:]), data)

    def learn(carry, rows):
        weights, memory = carry
        gradient = jax.grad(loss)(weights, jax.tree.map(lambda x: x[rows], data))
        change, memory = optimizer.update(gradient, memory)
        return (optax.apply_updates(weights, change), memory), None

    def epoch(carry, key):
        order = jax.random.permutation(key, ENVS * STEPS).reshape(MINIBATCHES, -1)
        return jax.lax.scan(learn, carry, order)

    carry = jax.lax.scan(epoch, (weights, memory), jax.random.split(key_learn, EPOCHS))[0]
    return *carry, observations, states, rewards.sum() / (ENVS * STEPS / 200)


def main():
    key, key_weights, key_reset = jax.random.split(jax.random.key(SEED), 3)
    weights = initial_weights(key_weights)
    memory = optimizer.init(weights)
    observations, states = jax.vmap(env.reset, in_axes=(0, None))(
        jax.random.split(key_reset, ENVS), params
    )
    for number in range(UPDATES):
        key, key_update = jax.random.split(key)
        weights, memory, observations, states, earned = update(
            weights, memory, observations, states, key_update
        )
        if (number + 1) % 20 == 0:
            print(f"update {number + 1:3d}: {earned:6.1f} in 200 steps", flush=True)
    Path("weights").mkdir(exist_ok=True)
    np.savez("weights/policy.npz", **weights)
    print("wrote weights/policy.npz")


if __name__ == "__main__":
    main()
