"""One pass: a branching heuristic at work with our solver on every formula, and what it cost.

All formulas advance in lockstep: a frame asks for the next decision in each that is still open, and
the solver works once all are answered. So the two strictly alternate.
"""

import gc
from dataclasses import dataclass
from time import thread_time

import numpy as np
from mlgym_kit import SubmissionError
from solver import search

BEGIN_S, FRAME_S = 60.0, 20.0
ECHOES = 100
TYPICAL = [[number, 20, [1, -2, 3, -4, 5, -6, 7]] for number in range(8)]


@dataclass(frozen=True)
class Pass:
    """`cpu` and `wall`, [frames], are the seconds of each frame: the solver's processor time, and
    the player's processor time or how long its answer took. `empty_cpu` and `empty_wall`, [echoes],
    are those of frames in which nothing was asked. `decisions` is what was chosen, by formula."""

    cpu: np.ndarray
    wall: np.ndarray
    empty_cpu: np.ndarray
    empty_wall: np.ndarray
    decisions: list

    @property
    def count(self):
        return sum(len(chosen) for chosen in self.decisions)


def play(player, formulas, variables, seed, instead=None, most=None):
    """Play one pass in a fresh process. `instead` is the text of a heuristic to take in the place
    of the submitted one, `most` how many decisions it may take.

    Raises SubmissionError.
    """
    gc.collect()
    player.restart()
    empty_cpu, empty_wall = empty_frames(player)
    # Nothing else runs beside it from here on: it could think while the solver works.
    player.load("heuristic.py", seed, instead=instead, alone=True)
    cpu, wall, decisions = [], [], [[] for _ in formulas]

    def ask(function, many, timeout_s):
        cpu_before, wall_before = player.cpu_s, player.wall_s
        answers = player.each(function, many, timeout_s=timeout_s)
        cpu.append(player.cpu_s - cpu_before)
        wall.append(player.wall_s - wall_before)
        if not isinstance(answers, list) or len(answers) != len(many):
            raise SubmissionError(
                f"{function}: expected {len(many)} answers, found {answers!r:.100}"
            )
        return answers

    def work(step):
        """Let the solver work; its time counts as part of the frame before."""
        began = thread_time()
        step()
        spent = thread_time() - began
        cpu[-1] += spent
        wall[-1] += spent

    many = [[number, formula, variables] for number, formula in enumerate(formulas)]
    ask("begin", many, BEGIN_S)
    searches, questions = {}, {}

    def begin():
        for number, formula in enumerate(formulas):
            searches[number] = search(formula, variables)
            questions[number] = next(searches[number])

    def advance():
        for number, answer in zip(list(questions), answers, strict=True):
            decisions[number].append(answer)
            try:
                questions[number] = searches[number].send(answer)
            except StopIteration:
                del questions[number]
            except ValueError as error:
                raise refused(number, decisions[number], error) from None

    work(begin)
    while questions:
        asked = [[number, *question] for number, question in questions.items()]
        answers = ask("decide", asked, FRAME_S)
        for number, answer in zip(questions, answers, strict=True):
            check(answer, number, variables, decisions[number])
        work(advance)
        if most is not None and sum(map(len, decisions)) > most:
            raise SubmissionError(
                f"it took more than {most} decisions, and {len(questions)} of the {len(formulas)}"
                " formulas are open still"
            )
    return Pass(np.array(cpu), np.array(wall), empty_cpu, empty_wall, decisions)


def empty_frames(player):
    """What frames cost a player by themselves: processor time, and time, in seconds, [echoes].

    Measured before anything submitted is loaded, so that it can be trusted.
    """
    player.echo(np.zeros(1), TYPICAL)
    marks = [(player.cpu_s, player.wall_s)]
    for _ in range(ECHOES):
        player.echo("decide", TYPICAL)
        marks.append((player.cpu_s, player.wall_s))
    return np.diff(np.array(marks), axis=0).T


def check(answer, number, variables, earlier):
    """Raises SubmissionError for an answer that is no decision."""
    if isinstance(answer, list) and len(answer) == 2:
        variable, value = answer
        if type(variable) is int and 1 <= variable <= variables and value in (0, 1):
            return
    raise refused(
        number,
        [*earlier, answer],
        f"expected (variable, value), a variable from 1 to {variables} and True or False",
    )


def refused(number, decisions, why):
    where = f"formula {number}, decision {len(decisions)}"
    return SubmissionError(f"{where}: decide returned {decisions[-1]!r:.100}: {why}")
