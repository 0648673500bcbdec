"""A branching heuristic for a 3-SAT solver: the literal that most of the open clauses hold."""


class Heuristic:
    """What to branch on in one formula. A literal is a variable's number, from 1 on, or minus it.

    `clauses` is a list of lists of three literals.
    """

    def __init__(self, clauses, variables):
        self.clauses = clauses
        self.variables = variables
        self.trail = []  # the literals that are true, in the order in which they became so

    def decide(self, kept, assigned):
        """The variable to branch on, and the value to try first.

        Of the literals that were true at the last decision, the first `kept` still are; those in
        `assigned` have become true since.
        """
        self.trail[kept:] = assigned
        true = set(self.trail)
        counts = {}
        for clause in self.clauses:
            if true.isdisjoint(clause):
                for literal in clause:
                    if -literal not in true:
                        counts[literal] = counts.get(literal, 0) + 1
        best = max(counts, key=counts.get)
        return abs(best), best > 0


# What the referee calls ------------------------------------------------------------------------

heuristics = {}


def begin(number, clauses, variables):
    """Once for each formula, before its first decision."""
    heuristics[number] = Heuristic(clauses, variables)


def decide(number, kept, assigned):
    """For each decision: `(variable, value)`."""
    return heuristics[number].decide(kept, assigned)
