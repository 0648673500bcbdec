"""The policy that is graded: a recurrent network, which finds the goal once and then remembers."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

HIDDEN = 64
ACTIONS = 4  # up, right, down, left


def network(weights, memory, observation):
    """The logits of the actions, [4], the value and the new memory, by a gated recurrent unit."""
    around_and_last, reward, time = observation[:13], observation[13], observation[14]
    x = jnp.hstack([around_and_last, reward / 10, time / 200])
    memory = jnp.where(time > 0, memory, 0.0)  # another episode has begun
    new = x @ weights["new"] + weights["bias"]
    old = memory @ weights["old"]
    keep, reset = jax.nn.sigmoid(new[: 2 * HIDDEN] + old[: 2 * HIDDEN]).reshape(2, HIDDEN)
    candidate = jnp.tanh(new[2 * HIDDEN :] + reset * old[2 * HIDDEN :])
    memory = keep * memory + (1 - keep) * candidate
    return memory @ weights["actor"], (memory @ weights["critic"])[0], memory


def initial_weights(key):
    sizes = {"new": (15, 3 * HIDDEN), "old": (HIDDEN, 3 * HIDDEN)}
    sizes |= {"actor": (HIDDEN, ACTIONS), "critic": (HIDDEN, 1)}
    gains = {"new": 1.0, "old": 1.0, "actor": 0.01, "critic": 1.0}
    keys = jax.random.split(key, len(sizes))
    weights = {
        name: jax.nn.initializers.orthogonal(gains[name])(key, size)
        for key, (name, size) in zip(keys, sizes.items(), strict=True)
    }
    return weights | {"bias": jnp.zeros(3 * HIDDEN)}


class Policy:
    def __init__(self, weights):
        self.weights = weights
        self.network = jax.jit(jax.vmap(network, in_axes=(None, 0, 0)))

    def act(self, observations, state):
        """Actions [N] for observations [N, 15]. The state is the memory, [N, HIDDEN]."""
        memory = np.zeros((len(observations), HIDDEN), np.float32) if state is None else state
        logits, _, memory = self.network(self.weights, memory, observations)
        # The referee seeds numpy.random. Adding Gumbel noise samples from the softmax.
        return np.argmax(logits + np.random.gumbel(size=logits.shape), axis=1), memory


def load(folder):
    with np.load(Path(folder) / "policy.npz") as file:
        return Policy(dict(file))
