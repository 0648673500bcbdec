"""The policy that is graded: a small rectified network that takes its likeliest action."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

HIDDEN = 64
ACTIONS = 3  # stay, left, right


def network(weights, observation):
    """The logits of the actions, [3], and the value, of one observation [10, 10, 4]."""
    x = observation.reshape(-1)
    return perceive(weights["actor"], x), perceive(weights["critic"], x)[0]


def perceive(layers, x):
    for name in ("first", "second"):
        x = jax.nn.relu(x @ layers[name] + layers[f"{name}_bias"])
    return x @ layers["last"]


def initial_weights(key):
    key_actor, key_critic = jax.random.split(key)
    return {
        "actor": initial_layers(key_actor, ACTIONS, 0.01),
        "critic": initial_layers(key_critic, 1, 1.0),
    }


def initial_layers(key, outputs, gain):
    first, second, last = jax.random.split(key, 3)
    orthogonal = jax.nn.initializers.orthogonal
    return {
        "first": orthogonal(2**0.5)(first, (400, HIDDEN)),
        "first_bias": jnp.zeros(HIDDEN),
        "second": orthogonal(2**0.5)(second, (HIDDEN, HIDDEN)),
        "second_bias": jnp.zeros(HIDDEN),
        "last": orthogonal(gain)(last, (HIDDEN, outputs)),
    }


class Policy:
    def __init__(self, layers):
        self.layers = layers
        self.actor = jax.jit(perceive)

    def act(self, observations, state):
        """Actions [N] for observations [N, 10, 10, 4]. Nothing is remembered: the state is None."""
        logits = self.actor(self.layers, observations.reshape(len(observations), -1))
        return np.argmax(logits, axis=1), state


def load(folder):
    with np.load(Path(folder) / "actor.npz") as file:
        return Policy(dict(file))
