"""PPO for a policy that keeps each action for eight steps; the best checkpoint is handed in.

Noise that changes with every step cancels out and never climbs the hill. Held for eight steps, the
same noise finds the goal soon, and an episode is an eighth as long to look through. With a discount
close to 1 the haste goes, and the car learns to push no harder than it must.
"""

import os
from pathlib import Path

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from policy import REPEAT, initial_weights, network

SEED = int(os.environ.get("SEED", "0"))
ENVS, STEPS, UPDATES = 64, 125, 30
EPOCHS, MINIBATCHES = 4, 4
LEARNING_RATE, CLIP = 1e-3, 0.2
GAMMA, LAMBDA = 0.999, 0.95
REWARD_SCALE = 0.1
JUDGES = 256  # episodes that a checkpoint is judged by

env, params = gymnax.make("MountainCarContinuous-v0")
optimizer = optax.chain(
    optax.clip_by_global_norm(0.5),
    optax.adam(optax.linear_schedule(LEARNING_RATE, 0.0, UPDATES * EPOCHS * MINIBATCHES)),
)
everywhere = jax.vmap(network, in_axes=(None, 0))


def hold(key, state, action):
    """Take `action` for REPEAT steps or to the episode's end; then a new one begins."""

    def step(carry, key):
        state, done = carry
        _, after, reward, ends, _ = env.step_env(key, state, action, params)
        after = jax.tree.map(lambda old, new: jnp.where(done, old, new), state, after)
        return (after, done | ends), jnp.where(done, 0.0, reward)

    key, key_reset = jax.random.split(key)
    (state, done), rewards = jax.lax.scan(step, (state, False), jax.random.split(key, REPEAT))
    fresh = env.reset_env(key_reset, params)[1]
    state = jax.tree.map(lambda old, new: jnp.where(done, new, old), state, fresh)
    return env.get_obs(state), state, rewards.sum(), done


def log_density(action, mean, log_std):
    z = (action - mean) / jnp.exp(log_std)
    return (-0.5 * z**2 - log_std - 0.5 * jnp.log(2 * jnp.pi)).sum(-1)


def collect(weights, key, observation, state):
    """One environment for STEPS decisions: what was seen, done, and earned."""

    def step(carry, key):
        observation, state = carry
        key_act, key_step = jax.random.split(key)
        mean, log_std, value = network(weights, observation)
        action = mean + jnp.exp(log_std) * jax.random.normal(key_act, mean.shape)
        density = log_density(action, mean, log_std)
        after, state, reward, done = hold(key_step, state, jnp.clip(action, -1, 1))
        return (after, state), (observation, action, density, value, REWARD_SCALE * reward, done)

    return jax.lax.scan(step, (observation, state), jax.random.split(key, STEPS))


def estimate(values, rewards, dones, last_value):
    """Advantages of one environment's decisions, by generalised advantage estimation."""

    def back(carry, now):
        advantage, next_value = carry
        value, reward, done = now
        delta = reward + GAMMA * next_value * (1 - done) - value
        advantage = delta + GAMMA * LAMBDA * (1 - done) * advantage
        return (advantage, value), advantage

    return jax.lax.scan(back, (0.0, last_value), (values, rewards, dones), reverse=True)[1]


def loss(weights, batch):
    observations, actions, densities, advantages, targets = batch
    mean, log_std, values = everywhere(weights, observations)
    ratio = jnp.exp(log_density(actions, mean, log_std) - densities)
    scaled = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    actor = jnp.minimum(ratio * scaled, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * scaled)
    return 0.5 * ((values - targets) ** 2).mean() - actor.mean()


@jax.jit
def update(weights, memory, observations, states, key):
    key_collect, key_learn = jax.random.split(key)
    (observations, states), path = jax.vmap(collect, in_axes=(None, 0, 0, 0))(
        weights, jax.random.split(key_collect, ENVS), observations, states
    )
    seen, actions, densities, values, rewards, dones = path
    advantages = jax.vmap(estimate)(values, rewards, dones, everywhere(weights, observations)[2])
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
    return *carry, observations, states


@jax.jit
def judge(weights, key):
    """The mean return of JUDGES episodes, acting as the policy will: without noise."""

    def episode(key):
        def step(carry, key):
            observation, state, over = carry
            observation, state, reward, done = hold(key, state, network(weights, observation)[0])
            return (observation, state, over | done), jnp.where(over, 0.0, reward)

        start = env.reset_env(key, params)
        return jax.lax.scan(step, (*start, False), jax.random.split(key, STEPS))[1].sum()

    return jax.vmap(episode)(jax.random.split(key, JUDGES)).mean()


def main():
    key, key_weights, key_reset, key_judge = jax.random.split(jax.random.key(SEED), 4)
    weights = initial_weights(key_weights)
    memory = optimizer.init(weights)
    observations, states = jax.vmap(env.reset, in_axes=(0, None))(
        jax.random.split(key_reset, ENVS), params
    )
    best, best_weights = -np.inf, weights
    for number in range(UPDATES):
        key, key_update = jax.random.split(key)
        weights, memory, observations, states = update(
            weights, memory, observations, states, key_update
        )
        found = float(judge(weights, key_judge))
        if found > best:
            best, best_weights = found, weights
        if (number + 1) % 10 == 0:
            print(f"update {number + 1:3d}: {found:6.2f}, best so far {best:6.2f}", flush=True)
    Path("weights").mkdir(exist_ok=True)
    np.savez("weights/policy.npz", **best_weights)


if __name__ == "__main__":
    main()
