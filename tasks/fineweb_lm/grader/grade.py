"""Asks a language model for the logits of hidden text; the loss is computed here.

Every window is asked for once. Then the model's process is replaced by a fresh one, which is asked
for each window again, twice, from some place on with other tokens: before that place it must give
the right tokens the same probabilities, or it found them by looking ahead.
"""

import json
import math

import numpy as np
from mlgym_kit import SUBMISSION, SubmissionError

REPLY_BYTES = 64 << 20
MOST_ROWS = 32
CUTS = 2  # how often each window is asked for again, each time cut at another place
AGREE = 1e-3
LOAD_S, CALL_S = 120.0, 120.0


def grade(player, answers, split, rng):
    """`loss` in nats a token, `bits_per_byte` of the text that the tokens stand for."""
    windows = np.load(answers / f"{split}.npy").astype(np.int64)
    facts = json.loads((answers / f"{split}.json").read_text())
    inputs, targets = windows[:, :-1], windows[:, 1:]
    model = Model(player, facts["vocabulary"], int(rng.integers(2**32)))
    found = model.log_probabilities(inputs, targets, rng)

    again = np.tile(np.arange(len(inputs)), CUTS)
    cuts = rng.integers(1, inputs.shape[1], len(again))
    kept = np.arange(inputs.shape[1]) < cuts[:, None]
    # Text again, so that it looks like any other, but from another place.
    elsewhere = (again + rng.integers(1, len(inputs), len(again))) % len(inputs)
    changed = np.where(kept, inputs[again], inputs[elsewhere])
    check_same(found[again], model.log_probabilities(changed, targets[again], rng), kept)

    nats = -float(found.sum())
    return {
        "loss": nats / targets.size,
        "bits_per_byte": nats / math.log(2) / facts["bytes"],
    }


class Model:
    """The submitted model. Each round of questions goes to a fresh process."""

    def __init__(self, player, vocabulary, seed):
        self._player, self._vocabulary, self._seed = player, vocabulary, seed
        self._asked = False

    def log_probabilities(self, inputs, targets, rng):
        """Of the targets, each given the inputs [N, T] up to its place; asked in no order."""
        if self._asked:
            self._player.restart()
        self._asked = True
        self._player.load("model.py", seed=self._seed, timeout_s=LOAD_S)
        self._player.build("load", str(SUBMISSION / "weights"), timeout_s=LOAD_S)
        order, length = rng.permutation(len(inputs)), inputs.shape[1]
        count = max(1, min(MOST_ROWS, REPLY_BYTES // (4 * length * self._vocabulary)))
        found = np.empty(inputs.shape)
        for start in range(0, len(order), count):
            rows = order[start : start + count]
            answer = self._player.call("logits", inputs[rows], timeout_s=CALL_S)
            logits = checked(answer, (len(rows), length, self._vocabulary))
            found[rows] = log_softmax(logits, targets[rows])
        return found


def checked(logits, shape):
    """The answer, if it is what was asked for."""
    wanted = f"logits() must return a float32 array of shape {shape}"
    if not isinstance(logits, np.ndarray):
        raise SubmissionError(f"{wanted}; it returned {logits!r:.100}")
    if logits.shape != shape or logits.dtype != np.float32:
        raise SubmissionError(f"{wanted}; it is {logits.dtype} of shape {logits.shape}")
    finite = np.isfinite(logits)
    if not finite.all():
        row, place, token = np.unravel_index(np.argmin(finite), shape)
        raise SubmissionError(
            f"{wanted}, all of it finite; row {row}, position {place}, token {token} is "
            f"{logits[row, place, token]}"
        )
    return logits


def log_softmax(logits, targets):
    """Of the logits [rows, T, V], at the targets [rows, T], in float64."""
    highest = logits.max(axis=2).astype(np.float64)
    # In float64: differences of the largest float32 numbers are beyond float32.
    with np.errstate(over="ignore", under="ignore"):
        mass = np.stack(
            [
                np.exp(row - top[:, None]).sum(axis=1)
                for row, top in zip(logits, highest, strict=True)
            ]
        )
    chosen = np.take_along_axis(logits, targets[:, :, None], axis=2)[:, :, 0].astype(np.float64)
    return chosen - highest - np.log(mass)


def check_same(before, after, kept):
    """Refuse what changes where the tokens up to it are kept [rows, T]."""
    apart = np.where(kept, np.abs(before - after), 0.0)
    if apart.max() > AGREE:
        row, place = np.unravel_index(np.argmax(apart > AGREE), apart.shape)
        raise SubmissionError(
            f"logits() must not look ahead: with other tokens after position {kept[row].sum() - 1} "
            f"the log-probability of a token at position {place} changes by "
            f"{apart[row, place]:.3g}. It may depend on the tokens of its own row up to there, "
            "and on nothing else: not on other rows, on earlier calls or on chance"
        )
