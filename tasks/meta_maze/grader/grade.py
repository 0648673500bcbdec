"""Steps MetaMaze with hidden seeds; the policy sees observations only."""

import gymnax
import jax
import numpy as np
from mlgym_kit import SUBMISSION, SubmissionError

# An episode's return has a standard deviation of about 90: 2560 of them leave an error below 2.
ENVIRONMENTS, SEEDS = 512, 5
EPISODES = ENVIRONMENTS * SEEDS
ACT_S = 60.0

env, params = gymnax.make("MetaMaze-misc")
reset = jax.jit(jax.vmap(env.reset, in_axes=(0, None)))
step = jax.jit(jax.vmap(env.step, in_axes=(0, 0, 0, None)))


def grade(player, answers, split, rng):
    """`mean_return`: the mean over all episodes of an episode's sum of rewards."""
    player.load("policy.py", seed=int(rng.integers(2**32)))
    player.build("load", str(SUBMISSION / "weights"))
    return {"mean_return": float(returns(player, rng).mean())}


def returns(player, rng):
    """The first episode's return of each environment, [EPISODES], all stepped together."""
    observations, states = reset(keys(rng), params)
    total = np.zeros(EPISODES)
    running = np.ones(EPISODES, dtype=bool)
    for number in range(params.max_steps_in_episode):
        answer = player.step("act", np.asarray(observations), timeout_s=ACT_S)
        actions = legal(answer, number)
        observations, states, rewards, done, _ = step(keys(rng), states, actions, params)
        total += np.where(running, rewards, 0)
        running &= ~np.asarray(done)
        if not running.any():
            break
    return total


def keys(rng):
    """A key for each environment: two whole words, so that none can be found by trying."""
    words = rng.integers(2**32, size=(EPISODES, 2), dtype=np.uint32)
    return jax.random.wrap_key_data(words)


def legal(actions, number):
    """The actions, [EPISODES], each from 0 to 3; anything else is refused by name."""
    wanted = f"step {number + 1}: act() must return an array of {EPISODES} whole numbers"
    if not isinstance(actions, np.ndarray):
        raise SubmissionError(f"{wanted}; it returned {actions!r:.100}")
    if actions.shape != (EPISODES,) or actions.dtype.kind not in "iu":
        raise SubmissionError(f"{wanted}; it is {actions.dtype} of shape {actions.shape}")
    bad = (actions < 0) | (actions >= env.num_actions)
    if bad.any():
        episode = int(np.argmax(bad))
        raise SubmissionError(
            f"{wanted} from 0 to {env.num_actions - 1}; for episode {episode + 1} it is"
            f" {actions[episode]}"
        )
    return actions.astype(np.int32)
