"""The grammar of the natural-language inference task: labels are what the words mean."""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from mlgym.task.spec import find_task

TASK = find_task("mnli")


@pytest.fixture(scope="module")
def grammar() -> Iterator[ModuleType]:
    sys.path.insert(0, str(TASK.folder))
    yield importlib.import_module("grammar")
    sys.path.remove(str(TASK.folder))
    sys.modules.pop("grammar")


UNSAID = dict.fromkeys(("mood", "colour", "place", "manner"), "")
PLAIN = UNSAID | {"agent": "boy", "verb": "pushing", "object": "kite"}


@pytest.mark.parametrize(
    ("premise", "hypothesis", "label"),
    [
        (("some", {}), ("some", {"agent": "child", "verb": "moving"}), "entailment"),
        (("some", {"agent": "child"}), ("some", {}), "neutral"),
        (("some", {"colour": "red"}), ("some", {}), "entailment"),
        (("some", {}), ("no", {"object": "toy"}), "contradiction"),
        (("no", {"object": "toy"}), ("no", {}), "entailment"),
        (("no", {}), ("no", {"agent": "child"}), "neutral"),
        (("every", {}), ("some", {}), "entailment"),
        (("every", {"agent": "child"}), ("some", {}), "neutral"),
        (("every", {"agent": "child"}), ("some", {"verb": "pulling"}), "contradiction"),
        (("every", {"agent": "child"}), ("every", {"verb": "pulling"}), "contradiction"),
        (("every", {}), ("every", {"mood": "happy"}), "neutral"),
        (("every", {"place": "indoors"}), ("not every", {"place": "outdoors"}), "entailment"),
        (("every", {}), ("not every", {}), "contradiction"),
        (("some not", {}), ("not every", {}), "entailment"),
        (("some", {}), ("some not", {}), "neutral"),
        (("some", {"object": "doll"}), ("some not", {}), "entailment"),
        (("only", {}), ("some", {}), "entailment"),
        (("only", {}), ("no", {"agent": "girl"}), "entailment"),
        (("only", {}), ("every", {}), "neutral"),
        (("only", {"agent": "child"}), ("some", {"agent": "doctor"}), "contradiction"),
        (("some", {"manner": "slowly"}), ("some", {"manner": "quickly"}), "neutral"),
    ],
)
def test_labels_are_what_the_words_mean(grammar, premise, hypothesis, label):
    both = [(form, PLAIN | changes) for form, changes in (premise, hypothesis)]
    assert grammar.Vocabulary().relation(*both) == label


def true_in(
    grammar: Any, sentence: tuple[str, dict[str, str]], world: list[dict[str, str]]
) -> bool:
    """Whether a sentence holds where there are these people, each a special word for each slot."""
    form, words = sentence

    def fits(person: dict[str, str], about: bool) -> bool:
        return all(
            person[slot] in below(grammar, slot, word)
            for slot, word in words.items()
            if (slot in grammar.ABOUT) == about
        )

    who = [fits(person, True) for person in world]
    does = [fits(person, False) for person in world]
    both = [a and b for a, b in zip(who, does, strict=True)]
    return {
        "every": any(who) and both == who,
        "only": any(both) and both == does,
        "some": any(both),
        "no": not any(both),
        "not every": both != who,
        "some not": both != who,
    }[form]


def below(grammar: Any, slot: str, word: str) -> set[str]:
    ((top, middle),) = grammar.TREES[slot].items()
    special = {name: set(low or [name]) for name, low in middle.items()}
    special[top] = set().union(*special.values())
    return special.get(word, {word})


def test_no_small_world_refutes_a_label(grammar):
    draw = random.Random(0)
    vocabulary = grammar.Vocabulary()
    seen = set()
    for _ in range(400):
        words = {slot: draw.choice(found) for slot, found in vocabulary.words.items()}
        both = [
            (draw.choice(grammar.FORMS), {**words, **{slot: draw.choice(vocabulary.words[slot])}})
            for slot in draw.choices(list(words), k=2)
        ]
        label = vocabulary.relation(*both)
        # People near to what is said: all others are alike to both sentences.
        near = [
            {
                slot: draw.choice(sorted(below(grammar, slot, draw.choice(both)[1][slot])))
                for slot in words
            }
            for _ in range(6)
        ]
        for _ in range(60):
            world = draw.sample(near, draw.randint(0, 3))
            premise, hypothesis = (true_in(grammar, one, world) for one in both)
            seen.add((label, premise, hypothesis))
    assert ("entailment", True, False) not in seen
    assert ("contradiction", True, True) not in seen
    assert {("neutral", True, True), ("neutral", True, False)} < seen
    assert {("entailment", True, True), ("contradiction", True, False)} < seen


def test_every_slot_has_as_many_kinds_as_is_said(grammar):
    for slot, count in grammar.LEAVES.items():
        ((top, _),) = grammar.TREES[slot].items()
        assert len(below(grammar, slot, top)) == count
