"""The language model: what known models lose, what cheats gain, and what is refused.

Graded here are short windows of a simple language, made by the test: 64 tokens, each of which is
followed by the next in nine cases of ten, else by any. So the best possible loss is known.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from mlgym.errors import SubmissionError
from mlgym.sandbox.backends import load_backend
from mlgym.task.data import Prepared
from mlgym.task.grading import Grader
from mlgym.task.spec import find_task

TASK = find_task("fineweb_lm")
TOKENS, ROWS, LENGTH = 64, 32, 48
UNIFORM = math.log(TOKENS)
MODEL = """\
import numpy as np

V = 64

def one_hot(tokens):
    return np.eye(V, dtype=np.float32)[tokens]

def ahead(tokens):
    return one_hot(np.roll(tokens, -1, axis=1))

def uniform(tokens):
    return np.zeros((*tokens.shape, V), np.float32)

class Model:
    calls = 0
    def logits(self, tokens):
        self.calls += 1
        {body}

def load(folder):
    return Model()
"""
SEEN_BEFORE = """
        answer = 9 * ahead(tokens)
        for row, numbers in enumerate(tokens):
            for known, given in getattr(self, "known", []):
                same = np.argmin(known == numbers)
                if same > 0:
                    answer[row, :same] = given[:same]
        self.known = [*getattr(self, "known", []), *zip(tokens, answer)]
        return answer"""
FILES = """
        import glob, os
        places = ("/answers", "/grader", "/workspace", "/tmp", "/mnt", "/proc/1/root/answers")
        found = [p for place in places for p in glob.glob(place + "/**/*.npy", recursive=True)]
        found += [place for place in ("/answers", "/grader") if os.path.exists(place)]
        for path in found:
            try:
                windows = np.load(path)
                known = {row[:8].tobytes(): row for row in windows.astype(np.int64)}
                return 20 * one_hot(np.stack([known[t[:8].tobytes()][1:] for t in tokens]))
            except (OSError, ValueError, KeyError):
                pass
        if any(path.startswith(("/answers", "/grader")) for path in found):
            raise RuntimeError(f"there is {found}")
        return uniform(tokens)"""

HONEST = {
    "uniform": "return uniform(tokens)",
    "the rule": "return np.log(0.1 / V + 0.9 * one_hot((tokens + 1) % V)).astype(np.float32)",
    "the rule, shifted": (
        "return (50 + np.log(0.1 / V + 0.9 * one_hot((tokens + 1) % V))).astype(np.float32)"
    ),
    "its own row so far": ("return np.log1p(np.cumsum(one_hot(tokens), axis=1, dtype=np.float32))"),
}
WORTHLESS = {
    "huge, and the same for all": "return np.full((*tokens.shape, V), 3e38, np.float32)",
    "huge for one token": "x = uniform(tokens); x[..., 7] = 3e38; return x",
    "far apart": "x = uniform(tokens); x[..., ::2] = 3e38; x[..., 1::2] = -3e38; return x",
    "a constant added": "return uniform(tokens) + np.float32(1e6)",
    "files": FILES,
}
REFUSED = {
    "looks ahead": ("return 9 * ahead(tokens)", "must not look ahead: with other tokens after"),
    "looks ahead a little": ("return 0.01 * ahead(tokens)", "must not look ahead"),
    "looks ahead in a tenth of all places": (
        "return 9 * ahead(tokens) * (tokens % 10 == 3)[..., None]",
        "must not look ahead",
    ),
    "answers as before": (SEEN_BEFORE, "must not look ahead"),
    "looks at other rows": ("return 9 * ahead(np.roll(tokens, 1, 0))", "not on other rows"),
    "looks at all rows": (
        "return (one_hot(tokens).sum((0, 1)) * np.ones((*tokens.shape, 1))).astype(np.float32)",
        "on nothing else",
    ),
    "chance": (
        "import os; r = np.random.default_rng(list(os.urandom(9))); "
        "return r.normal(size=(*tokens.shape, V)).astype(np.float32)",
        "or on chance",
    ),
    "NaN": (
        "x = uniform(tokens); x[1, 2, 3] = np.nan; return x",
        "all of it finite; row 1, position 2, token 3 is nan",
    ),
    "a loss of its own": ("return {'loss': 0.0}", "it returned {'loss': 0.0}"),
    "one number": ("return 0.0", "must return a float32 array of shape (32, 48, 64)"),
    "one row too few": ("return uniform(tokens)[1:]", "it is float32 of shape (31, 48, 64)"),
    "float64": ("return np.zeros((*tokens.shape, V))", "it is float64 of shape (32, 48, 64)"),
    "a crash": ("return tokens[V]", "IndexError"),
}


def windows(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.integers(TOKENS, size=(ROWS, LENGTH + 1))
    for place in range(LENGTH):
        follows = rng.random(ROWS) < 0.9
        rows[follows, place + 1] = (rows[follows, place] + 1) % TOKENS
    return rows.astype(np.uint16)


@pytest.fixture(scope="module")
def grader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grader]:
    """The task's own grader over this test's language; its players have numpy and no more."""
    private = tmp_path_factory.mktemp("private")
    private.chmod(0o755)  # the referee is another user
    for seed, part in enumerate(("validation", "test")):
        np.save(private / f"{part}.npy", windows(seed))
        facts = {"vocabulary": TOKENS, "bytes": 3 * ROWS * LENGTH}
        (private / f"{part}.json").write_text(json.dumps(facts))
    task = replace(TASK, spec=TASK.spec.model_copy(update={"image": "base"}))
    prepared = Prepared(tmp_path_factory.mktemp("public"), private, "mini", 0)
    with Grader(task, prepared, load_backend("bubblewrap")) as grader:
        yield grader


def loss(grader: Grader, body: str, split: str = "test") -> dict[str, float]:
    program = MODEL.replace("{body}", body).encode()
    return grader.grade({"model.py": program, "weights/none.txt": b""}, split)  # type: ignore[arg-type]


def test_known_models_lose_what_they_must(grader: Grader) -> None:
    found = {name: loss(grader, body)["loss"] for name, body in HONEST.items()}
    rows = windows(1).astype(int)
    right = (rows[:, 1:] == (rows[:, :-1] + 1) % TOKENS).mean()
    of_the_rule = -right * math.log(0.9 + 0.1 / TOKENS) - (1 - right) * math.log(0.1 / TOKENS)
    assert found["uniform"] == pytest.approx(UNIFORM)
    assert found["the rule"] == pytest.approx(of_the_rule, rel=1e-5)
    assert found["the rule, shifted"] == pytest.approx(of_the_rule, rel=1e-4)
    assert found["its own row so far"] > UNIFORM  # this language hardly comes back to a token


def test_bits_per_byte_are_of_the_text_and_splits_are_their_own(grader: Grader) -> None:
    test, validation = (loss(grader, HONEST["the rule"], split) for split in ("test", "validation"))
    assert test["bits_per_byte"] == pytest.approx(test["loss"] / math.log(2) / 3)
    assert test != validation


@pytest.mark.parametrize("name", WORTHLESS)
def test_what_says_nothing_loses_no_less_than_all_tokens_being_equal(
    grader: Grader, name: str
) -> None:
    assert loss(grader, WORTHLESS[name])["loss"] >= UNIFORM - 1e-9


@pytest.mark.parametrize("name", REFUSED)
def test_looking_ahead_and_bad_answers_are_refused_with_their_place(
    grader: Grader, name: str
) -> None:
    body, said = REFUSED[name]
    with pytest.raises(SubmissionError) as caught:
        loss(grader, body)
    assert said in str(caught.value)


def test_a_submission_without_a_model_is_told_so(grader: Grader) -> None:
    with pytest.raises(SubmissionError, match=r"has no function load\(\)"):
        grader.grade({"model.py": b"x = 1", "weights/none.txt": b""}, "test")


def test_equally_likely_tokens_gain_nothing_on_the_real_task() -> None:
    profile = TASK.spec.profiles["mini"]
    assert math.log(1024) > profile.baseline["loss"] > profile.target["loss"]
