"""Texts that a tiny model is first taught to write: actions by rule, few of them any good.

They are what a model that has read much shell and Python might try on `battle_of_sexes`: the right
form and the wrong file, a move that is none, an edit of a line that is not there. Which of them
pay, none says.
"""

from __future__ import annotations

import random

MOVES = (
    "0",
    "1",
    "2",
    "None",
    "random.randint(0, 1)",
    "history[-1][1]",
    "history[-1][0] if history else 0",
    "history[-1][1] if history else 0",
    "history[-1][1] if history else 1",
    "1 - history[-1][1] if history else 1",
    "len(history) % 2",
    "int(not history)",
)
SEEN = (
    "not 0 or 1 makes the submission invalid.",
    "validation payoff: 1.02",
    "validation payoff: 0.47",
    "README.md\nbaseline.py\nstrategy.py",
    "legal; 0.748 a round against a coin",
    "NameError: name 'random' is not defined",
    "(no output)",
)
"""Ends of observations, as the environment's may be."""


def action(rng: random.Random) -> str:
    """An action, drawn at random."""
    kind = rng.random()
    if kind < 0.15:
        return rng.choice(("ls", "cat strategy.py", "cat README.md", "python baseline.py"))
    if kind < 0.2:
        return rng.choice(("validate", "submit"))
    if kind < 0.3:
        line = rng.randint(8, 14)
        return f"edit {line}:{line}\n    return {move(rng)}\nend_of_edit"
    name = often(rng, "row_strategy", "strategy", "play")
    file = often(rng, "strategy.py", "strategy.txt", "row.py")
    given = often(rng, "history", "")
    return f"echo 'def {name}({given}): return {move(rng)}' > {file}"


def often(rng: random.Random, usual: str, *others: str) -> str:
    """Four times in five the first."""
    return usual if rng.random() < 0.8 else rng.choice(others)


def move(rng: random.Random) -> str:
    """What a strategy returns."""
    if rng.random() < 0.5:
        return f"int(len(history) > {rng.randint(0, 9)})"
    return rng.choice(MOVES)


def lessons(count: int, seed: int) -> list[tuple[str, int, str]]:
    """An observation, how many steps are left, an action: none has to do with the others."""
    rng = random.Random(seed)
    return [(rng.choice(SEEN), rng.randint(1, 3), action(rng)) for _ in range(count)]
