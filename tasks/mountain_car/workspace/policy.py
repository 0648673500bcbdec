"""The policy that is graded: a small network, and how it acts.

The referee calls `load("/workspace/weights")` once, then `act` step after step for all episodes.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

HIDDEN = 64


def network(weights, observation):
    """Mean and logarithm of the deviation of the action, and the value, of one observation [2]."""
    position, velocity = observation
    x = jnp.array([position + 0.5, 20 * velocity])
    actor = jnp.tanh(jnp.tanh(x @ weights["a1"]) @ weights["a2"]) @ weights["a3"]
    critic = jnp.tanh(jnp.tanh(x @ weights["c1"]) @ weights["c2"]) @ weights["c3"]
    return actor, weights["log_std"], critic[0]


def initial_weights(key):
    sizes = {"a1": (2, HIDDEN), "a2": (HIDDEN, HIDDEN), "a3": (HIDDEN, 1)}
    sizes |= {"c1": (2, HIDDEN), "c2": (HIDDEN, HIDDEN), "c3": (HIDDEN, 1)}
    gains = {"a1": 2**0.5, "a2": 2**0.5, "a3": 0.01, "c1": 2**0.5, "c2": 2**0.5, "c3": 1.0}
    keys = jax.random.split(key, len(sizes))
    weights = {
        name: jax.nn.initializers.orthogonal(gains[name])(key, size)
        for key, (name, size) in zip(keys, sizes.items(), strict=True)
    }
    return weights | {"log_std": jnp.full(1, 0.5)}


class Policy:
    def __init__(self, weights):
        self.weights = weights
        self.network = jax.jit(jax.vmap(network, in_axes=(None, 0)))

    def act(self, observations, state):
        """Actions [N, 1] for observations [N, 2]. Nothing is remembered: the state stays None."""
        mean, log_std, _ = self.network(self.weights, observations)
        # The referee seeds numpy.random.
        noise = np.random.standard_normal(mean.shape)
        return np.asarray(mean + np.exp(log_std) * noise), state


def load(folder):
    with np.load(Path(folder) / "policy.npz") as file:
        return Policy(dict(file))
