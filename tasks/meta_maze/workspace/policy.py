"""The policy that is graded: a small network, and how it acts.

The referee calls `load("/workspace/weights")` once, then `act` step after step for all episodes.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

HIDDEN = 64
ACTIONS = 4  # up, right, down, left


def network(weights, observation):
    """The logits of the actions, [4], and the value, of one observation [15]."""
    around_and_last, reward, time = observation[:13], observation[13], observation[14]
    x = jnp.hstack([around_and_last, reward / 10, time / 200])
    actor = jnp.tanh(jnp.tanh(x @ weights["a1"]) @ weights["a2"]) @ weights["a3"]
    critic = jnp.tanh(jnp.tanh(x @ weights["c1"]) @ weights["c2"]) @ weights["c3"]
    return actor, critic[0]


def initial_weights(key):
    sizes = {"a1": (15, HIDDEN), "a2": (HIDDEN, HIDDEN), "a3": (HIDDEN, ACTIONS)}
    sizes |= {"c1": (15, HIDDEN), "c2": (HIDDEN, HIDDEN), "c3": (HIDDEN, 1)}
    gains = {"a1": 2**0.5, "a2": 2**0.5, "a3": 0.01, "c1": 2**0.5, "c2": 2**0.5, "c3": 1.0}
    keys = jax.random.split(key, len(sizes))
    return {
        name: jax.nn.initializers.orthogonal(gains[name])(key, size)
        for key, (name, size) in zip(keys, sizes.items(), strict=True)
    }


class Policy:
    def __init__(self, weights):
        self.weights = weights
        self.network = jax.jit(jax.vmap(network, in_axes=(None, 0)))

    def act(self, observations, state):
        """Actions [N] for observations [N, 15]. Nothing is remembered: the state stays None."""
        logits, _ = self.network(self.weights, observations)
        # The referee seeds numpy.random. Adding Gumbel noise samples from the softmax.
        return np.argmax(logits + np.random.gumbel(size=logits.shape), axis=1), state


def load(folder):
    with np.load(Path(folder) / "policy.npz") as file:
        return Policy(dict(file))
