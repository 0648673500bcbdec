"""Steps MinAtar's Breakout with hidden seeds; the policy sees observations only.

Half of the episodes are played as gymnax has it, where nothing is random after the start; in the
other half actions stick: with a probability of 0.1 the action before is done once more.
"""

import gymnax
import jax
import numpy as np
from mlgym_kit import SUBMISSION, SubmissionError

ENVIRONMENTS, SEEDS = 64, 5
EPISODES = ENVIRONMENTS * SEEDS
STICKINESS = np.repeat([0.0, 0.1], EPISODES)
ACT_S = 60.0

env, params = gymnax.make("Breakout-MinAtar")
reset = jax.jit(jax.vmap(env.reset, in_axes=(0, None)))
step = jax.jit(jax.vmap(env.step, in_axes=(0, 0, 0, None)))


def grade(player, answers, split, rng):
    """Mean returns of an episode: `plain_return`, `sticky_return`, `mean_return` is one of them."""
    counted = (answers / "counted.txt").read_text().strip()
    player.load("policy.py", seed=int(rng.integers(2**32)))
    player.build("load", str(SUBMISSION / "weights"))
    plain, sticky = returns(player, rng).reshape(2, EPISODES).mean(axis=1)
    return {
        "mean_return": sticky if counted == "sticky" else plain,
        "plain_return": plain,
        "sticky_return": sticky,
    }


def returns(player, rng):
    """The first episode's return of each environment, [2 * EPISODES], all stepped together."""
    observations, states = reset(keys(rng), params)
    done_actions = np.zeros(len(STICKINESS), dtype=np.int32)
    total = np.zeros(len(STICKINESS))
    running = np.ones(len(STICKINESS), dtype=bool)
    for number in range(params.max_steps_in_episode):
        answer = player.step("act", np.asarray(observations), timeout_s=ACT_S)
        stuck = rng.random(len(STICKINESS)) < STICKINESS
        done_actions = np.where(stuck, done_actions, legal(answer, number))
        observations, states, rewards, done, _ = step(keys(rng), states, done_actions, params)
        total += np.where(running, rewards, 0)
        running &= ~np.asarray(done)
        if not running.any():
            break
    return total


def keys(rng):
    """A key for each environment: two whole words, so that none can be found by trying."""
    words = rng.integers(2**32, size=(len(STICKINESS), 2), dtype=np.uint32)
    return jax.random.wrap_key_data(words)


def legal(actions, number):
    """The actions, [2 * EPISODES], each 0, 1 or 2; anything else is refused by name."""
    wanted = f"step {number + 1}: act() must return an array of {len(STICKINESS)} whole numbers"
    if not isinstance(actions, np.ndarray):
        raise SubmissionError(f"{wanted}; it returned {actions!r:.100}")
    if actions.shape != STICKINESS.shape or actions.dtype.kind not in "iu":
        raise SubmissionError(f"{wanted}; it is {actions.dtype} of shape {actions.shape}")
    bad = (actions < 0) | (actions >= env.num_actions)
    if bad.any():
        episode = int(np.argmax(bad))
        raise SubmissionError(
            f"{wanted} from 0 to {env.num_actions - 1}; for episode {episode + 1} it is"
            f" {actions[episode]}"
        )
    return actions.astype(np.int32)
