"""Plays heuristic.py on the practice formulas, and the shipped heuristic beside it.

The solver is the referee's; the formulas that count are others. Nothing is written.
"""

from time import process_time

import heuristic
import numpy as np
import shipped
from solver import search


def play(module, formulas, variables):
    """The decisions that all formulas took, and the seconds of solver and heuristic."""
    decisions, began, thought = 0, process_time(), 0.0
    for number, formula in enumerate(formulas):
        turn = process_time()
        module.begin(number, formula, variables)
        thought += process_time() - turn
        running = search(formula, variables)
        try:
            question = next(running)
            while True:
                turn = process_time()
                answer = module.decide(number, *question)
                thought += process_time() - turn
                decisions += 1
                question = running.send(answer)
        except StopIteration:
            pass  # solved: a model was found, or it is certain that there is none
    return decisions, process_time() - began - thought, thought


with np.load("data/practice.npz") as file:
    formulas, variables = file["formulas"].tolist(), int(file["variables"])
seconds = {}
for module in (shipped, heuristic):
    decisions, solver_s, heuristic_s = play(module, formulas, variables)
    seconds[module] = solver_s + heuristic_s
    print(
        f"{module.__name__:>9}: {decisions} decisions,"
        f" {solver_s:.3f} s of the solver, {heuristic_s:.3f} s of the heuristic"
    )
print(f"time_ratio about {seconds[heuristic] / seconds[shipped]:.3f} on these formulas")
