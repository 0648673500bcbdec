"""The solver: plain DPLL with unit propagation, which asks somebody else what to branch on.

A literal is a variable's number, from 1 on, or minus it. Lists of length 2 x variables + 1 are
indexed by literals as they are: Python counts the negative ones from the end.
"""


def search(clauses, variables):
    """Search for a model; a generator that has to be told every decision.

    `clauses` are triples of literals. It yields `(kept, assigned)`: of the literals that were true
    at the decision before, in the order in which they became so, the first `kept` are still true,
    and `assigned` have become true since. It is sent `(variable, value)`; the other value is tried
    once this one has failed. It returns the literals of a model, or None where there is none.

    Raises ValueError for a variable that has a value already.
    """
    rest = [[] for _ in range(2 * variables + 1)]
    for a, b, c in clauses:
        rest[a].append((b, c))
        rest[b].append((a, c))
        rest[c].append((a, b))
    truth = [0] * (2 * variables + 1)  # 1 true, -1 false, 0 neither yet
    trail = []
    branches = []  # (length of the trail before it, the literal decided, the first open clause)

    def assign(literal):
        """Make a literal true and all that follows; False where that contradicts a clause."""
        truth[literal], truth[-literal] = 1, -1
        head = len(trail)
        trail.append(literal)
        while head < len(trail):
            for a, b in rest[-trail[head]]:
                if truth[a] > 0 or truth[b] > 0:
                    continue
                if truth[a] < 0:
                    if truth[b] < 0:
                        return False
                    a = b
                elif truth[b] == 0:
                    continue
                truth[a], truth[-a] = 1, -1
                trail.append(a)
            head += 1
        return True

    told = 0  # how much of the trail the other side knows
    first = 0  # the clauses before this one are true
    while True:
        for a, b, c in clauses[first:]:
            if truth[a] <= 0 and truth[b] <= 0 and truth[c] <= 0:
                break
            first += 1
        else:
            return trail
        variable, value = yield told, trail[told:]
        if truth[variable]:
            raise ValueError(f"variable {variable} has a value already")
        literal = variable if value else -variable
        told = len(trail)
        branches.append((told, literal, first))
        sound = assign(literal)
        while not sound:
            if not branches:
                return None
            size, literal, first = branches.pop()
            for undone in trail[size:]:
                truth[undone] = truth[-undone] = 0
            del trail[size:]
            told = min(told, size)
            sound = assign(-literal)
