"""Times the submitted branching heuristic at work with our solver, against the shipped one.

A pass has both play all formulas, one after the other, each in a fresh process that is alone in its
sandbox; the shipped heuristic goes the same way through frames as the submitted one.
"""

import gc
from pathlib import Path

import numpy as np
from exchange import play
from mlgym_kit import SubmissionError

PASSES = 5
MOST = 10
"""So many times the shipped heuristic's decisions, and a submission is refused."""
SLOW = 2.0
"""What takes so many times as long as the shipped heuristic is measured once only."""
NOISE = 0.15
"""How far the quickest passes of one heuristic may lie apart (log ratio)."""
WAITING = 0.25
"""What a second of an answer that took no processor time counts."""


def grade(player, answers, split, rng):
    """`time_ratio`, and of the submitted heuristic alone `solve_time_s` and `decisions`."""
    with np.load(answers / f"{split}.npz") as file:
        formulas, variables = file["formulas"].tolist(), int(file["variables"])
    seed = int(rng.integers(2**32))
    reference = (Path(__file__).parent / "reference.py").read_text()
    shipped, submitted = [], []
    gc.disable()  # it would fall to some passes and not to others
    while len(submitted) < PASSES:
        shipped.append(play(player, formulas, variables, seed, instead=reference))
        most = MOST * shipped[0].count
        submitted.append(play(player, formulas, variables, seed, most=most))
        same_decisions(submitted[0], submitted[-1])
        if quickest_pass(submitted[:1]) > SLOW * quickest_pass(shipped[:1]):
            break
    ratio = seconds(submitted) / seconds(shipped)
    # A program that thinks in another frame each time hides it from the quickest frames.
    whole = quickest_pass(submitted) / quickest_pass(shipped)
    return {
        "time_ratio": max(ratio, whole * np.exp(-NOISE)),
        "solve_time_s": seconds(submitted),
        "decisions": submitted[0].count,
    }


def seconds(passes):
    """The time of all frames, each as quick as it was in its quickest pass, without what frames
    cost by themselves.

    Processor time, as it is steady where others use the machine too, and cannot be hidden in the
    solver's turn; where the answers took far longer, they waited for something, which counts too.
    """
    cpu = quickest([each.cpu for each in passes], [each.empty_cpu for each in passes])
    wall = quickest([each.wall for each in passes], [each.empty_wall for each in passes])
    return max(cpu, WAITING * wall)


def quickest(frames, empty):
    """The sum over all frames of the quickest of each, less as many empty ones'. [passes, ...]"""
    each = np.min(frames, axis=0) - np.min(empty, axis=0).mean()
    return float(each.sum())


def quickest_pass(passes):
    """The processor time of the quickest pass as a whole, without what its frames cost."""
    return min(quickest([each.cpu], [each.empty_cpu]) for each in passes)


def same_decisions(first, other):
    """Raises SubmissionError where two passes differ: only equal ones can be compared in time, and
    the quickest must not be the luckiest."""
    for number, (ours, theirs) in enumerate(zip(first.decisions, other.decisions, strict=True)):
        if ours != theirs:
            pairs = zip(ours, theirs, strict=False)
            place = next(
                (i for i, (a, b) in enumerate(pairs) if a != b), min(len(ours), len(theirs))
            )
            raise SubmissionError(
                f"formula {number}, decision {place + 1}: the heuristic did not decide the same way"
                " twice; let chance come from random or numpy.random, which are seeded"
            )
