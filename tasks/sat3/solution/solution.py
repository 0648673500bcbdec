"""Chooses the heuristic's one weight: the one that takes the fewest decisions in practice."""

from pathlib import Path

import heuristic
import numpy as np
from solver import search


def decisions(formulas, variables):
    total = 0
    for formula in formulas:
        chooser = heuristic.Heuristic(formula, variables)
        running = search(formula, variables)
        try:
            question = next(running)
            while True:
                question = running.send(chooser.decide(*question))
                total += 1
        except StopIteration:
            total += 1
    return total


with np.load("data/practice.npz") as file:
    formulas, variables = file["formulas"].tolist(), int(file["variables"])
found = {}
for heuristic.PAIR in (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 12.0):
    found[heuristic.PAIR] = decisions(formulas, variables)
    print(f"PAIR = {heuristic.PAIR:4}: {found[heuristic.PAIR]} decisions")
best = min(found, key=found.get)
file = Path("heuristic.py")
file.write_text(file.read_text().replace("PAIR = 5.0", f"PAIR = {best}"))
