"""Answers that are none: values of submitted programs, and files of submitted predictions.

Each is refused in words, or worth what it says; none is believed to be what it looks like.
"""

from __future__ import annotations

import pickle

import pytest
from attacks.attack import Attack, program
from attacks.court import Court, stand_trial
from attacks.vault import HONEST, HONEST_CSV

FAIR = f"^scored {HONEST}$"
NO_BIT = "^refused: .*which is no bit"
NO_BITS = "^refused: .*which are no three bits"
FAILED = "^refused: the submitted program failed"


def value(name: str, text: str, says: str = NO_BIT, before: str = "") -> Attack:
    """A program that answers with one value."""
    body = f"import numpy as np\n{before}\ndef guess(number):\n    return {text}\n"
    return program(f"a guess that is {name}", body, says)


def array(name: str, text: str, says: str = NO_BITS) -> Attack:
    """A program that is honest until it answers with an array."""
    body = "import numpy as np\ndef guess(number):\n    return 0\ndef guess_all(numbers):\n"
    return program(f"guesses that are {name}", f"{body}    return {text}\n", says)


def csv(name: str, text: str | bytes, says: str, **more: bytes) -> Attack:
    """Predictions: the file of that content, and further ones beside it."""
    data = text.encode() if isinstance(text, str) else text
    files = {"submission.csv": data, "extra/note.txt": b"x"}
    files.update((f"extra/{key}", content) for key, content in more.items())
    return Attack(f"predictions that are {name}", "forgery", (), files=files, says=says)


def first(cell: str) -> str:
    """The honest predictions but for the first cell."""
    return HONEST_CSV.replace("a,0", f"a,{cell}")


VALUES = (
    value("not a number", "float('nan')"),
    value("infinite", "float('-inf')"),
    value("a truth", "True"),
    value("huge", "10 ** 4000"),
    value("too huge for its text", "10 ** 5000", "^refused: "),
    value("a list in itself", "loop", FAILED, "loop = []; loop.append(loop)"),
    value("a numpy number", "np.int64(0)"),
    value("an array of objects", "np.array([object()], dtype=object)", FAILED),
    value(
        "a pickle",
        "pickle.dumps(Evil())",
        FAILED,
        "import pickle, os\nclass Evil:\n    def __reduce__(self): return os.system, ('kill 1',)",
    ),
    value(
        "equal to everything",
        "Evil(0)",
        FAIR + "|^refused: ",
        "class Evil(int):\n    def __eq__(self, other): return True\n    __hash__ = None\n"
        "    def __repr__(self): return '1' * 10",
    ),
    value(
        "of a class that lies about its class",
        "Evil()",
        "^refused: ",
        "class Evil(dict):\n    __class__ = int\n    dtype = 'int64'\n    shape = (1 << 62,)\n"
        "    def tobytes(self): return b'x' * 8\n    def tolist(self): raise SystemExit(0)",
    ),
    value(
        "the end of whoever looks at it",
        "Evil()",
        "ended",
        "import os\nclass Evil:\n    dtype = property(lambda self: os._exit(0))\n    tobytes = 0",
    ),
)
ARRAYS = (
    array("too many", "np.zeros(4, 'int64')"),
    array("of another shape", "np.zeros((3, 1), 'int64')"),
    array("not numbers", "np.full(3, np.nan)"),
    array("of another byte order", "np.zeros(3, '>i8')", FAILED),
    array("huge", "np.full(3, 2 ** 62)", r"^scored [012]\.0$"),
    array(
        "larger than any message", "np.zeros(1 << 25, 'int64')", "^refused: .*(failed|too|ended)"
    ),
)
PREDICTIONS = (
    csv("a formula", first("=1+0"), "expected a whole number"),
    csv("a command", first("=cmd|'/c calc'!A0"), "expected a whole number"),
    csv("huge", first("9" * 100_000), "expected a whole number"),
    csv("negative", first("-1"), "expected a whole number"),
    csv("not a number", first("nan"), "expected a whole number"),
    csv("digits of another script", first("١"), "expected a whole number"),
    csv("a raised digit", first("¹"), "expected a whole number"),
    csv("grouped digits", first("0_0"), "expected a whole number"),
    csv("given twice", HONEST_CSV + "a,1\n", "was given before"),
    csv("for ids that are none", HONEST_CSV + "g,1\n", "is not to predict"),
    csv("for ids that look the same", HONEST_CSV + "а,1\n", "is not to predict"),
    csv("for ids with a NUL", HONEST_CSV + "a\0,1\n", "line 8"),
    csv("missing", "id,label\n", "expected 6"),
    csv("under two headers", "id,label\n" + HONEST_CSV, "is not to predict"),
    csv("under a header that is none", "label,id\n", "found header"),
    csv("a pickle", pickle.dumps({"a": 1}), "not UTF-8|found header"),
    csv("an archive", b"PK\3\4" + bytes(100), "found header|submission.csv: "),
    csv("UTF-16", HONEST_CSV.encode("utf-16"), "not UTF-8"),
    csv("an open quote", HONEST_CSV + '"a', "line"),
    csv("one cell of a megabyte", "id,label\n" + "x" * 1_000_000, "line 2"),
    csv("a million lines", "\n" * 1_000_000, "is empty"),
    csv("a million commas", "id,label\n" + "," * 500_000, "500001 columns"),
    csv(
        "proper, beside modules of other names",
        HONEST_CSV,
        FAIR,
        **{
            f"{name}.py": b"raise SystemExit('GAINED')"
            for name in ("json", "csv", "numpy", "random", "mlgym_kit", "sitecustomize", "grade")
        },
    ),
)
ROWS = (*VALUES, *ARRAYS, *PREDICTIONS)


@pytest.mark.parametrize("attack", ROWS, ids=lambda attack: attack.name)
def test_no_answer_is_taken_for_another(court: Court, attack: Attack) -> None:
    stand_trial(court, attack)


def test_honest_answers_are_worth_the_same_after_all_that(court: Court) -> None:
    for bench in (court.programs, court.predictions):
        assert bench.judged(bench.honest) == f"scored {HONEST}"
