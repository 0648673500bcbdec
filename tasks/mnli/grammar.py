"""Writes sentences, and decides by sets what follows from them: the grammar behind `mini`.

A *kind* says who somebody is, his mood, what he does to what, of which colour, where and how. A
sentence says that some kinds are none, or that there are some of others. So whether one sentence
follows from another, or cannot be true beside it, is a matter of sets, and no label is written down
with the rules that make the sentences.
"""

import random
from collections.abc import Iterator

Sentence = tuple[str, dict[str, str]]  # a form, and a word for each slot
Claim = tuple[bool, int]  # there are some of these kinds; or, where False, none

# Each slot of a sentence: its most general word, what is below it, and what is below that. "" is a
# word that is left out; "-" is a kind without a word, so that moods and colours are not only those.
TREES = {
    "agent": {
        "person": {
            "child": ["boy", "girl", "toddler"],
            "artist": ["painter", "singer", "dancer"],
            "worker": ["farmer", "sailor", "baker"],
            "doctor": ["surgeon", "dentist", "nurse"],
        }
    },
    "mood": {"": {"happy": [], "sad": [], "-": []}},
    "verb": {
        "-": {
            "moving": ["pushing", "pulling", "lifting"],
            "damaging": ["scratching", "breaking", "burning"],
            "cleaning": ["washing", "wiping", "brushing"],
            "watching": ["inspecting", "admiring", "filming"],
        }
    },
    "object": {
        "thing": {
            "toy": ["ball", "kite", "doll"],
            "vehicle": ["truck", "bicycle", "bus"],
            "fruit": ["apple", "pear", "plum"],
            "tool": ["hammer", "shovel", "saw"],
        }
    },
    "colour": {"": {"red": [], "blue": [], "-": []}},
    "place": {
        "": {
            "indoors": ["in the kitchen", "in the attic", "in the library"],
            "outdoors": ["in the garden", "in the forest", "on the beach"],
        }
    },
    "manner": {"": {"slowly": [], "quickly": [], "-": []}},
}
SYNONYMS = {
    "boy": "lad",
    "girl": "lass",
    "child": "kid",
    "doctor": "physician",
    "truck": "lorry",
    "bicycle": "bike",
    "thing": "object",
    "happy": "cheerful",
    "sad": "gloomy",
    "slowly": "unhurriedly",
    "quickly": "swiftly",
    "pushing": "shoving",
    "pulling": "dragging",
    "inspecting": "examining",
    "in the attic": "in the loft",
    "in the forest": "in the woods",
    "on the beach": "on the seashore",
}
PLURALS = {"child": "children", "person": "people", "lass": "lasses"}
PARTICIPLES = {"breaking": "broken"}
LEAVES = {"agent": 12, "mood": 3, "verb": 12, "object": 12, "colour": 3, "place": 6, "manner": 3}
FORMS = ("every", "some", "no", "not every", "some not", "only")
ABOUT = ("agent", "mood")  # the slots that say who; the others say what is done


# What sentences mean ---------------------------------------------------------------------------


class Vocabulary:
    """The words of each slot; for each word its kinds in that slot, as the bits of a number, how
    special it is, and the words near to it."""

    def __init__(self) -> None:
        self.words: dict[str, list[str]] = {}
        self.kinds: dict[tuple[str, str], int] = {}
        self.level: dict[tuple[str, str], int] = {}
        self.near: dict[tuple[str, str], list[str]] = {}
        for slot, tree in TREES.items():
            ((top, middle),) = tree.items()
            leaves = [leaf for word, low in middle.items() for leaf in low or [word]]
            below = {top: leaves, **{word: low or [word] for word, low in middle.items()}}
            below |= {leaf: [leaf] for leaf in leaves}
            for level, row in enumerate(([top], middle, leaves)):
                self.level |= {(slot, word): level for word in row}
            for word, low in below.items():
                self.kinds[slot, word] = sum(1 << leaves.index(leaf) for leaf in low)
            for parent, children in {top: list(middle), **middle}.items():
                others = [word for word in children if word != "-"]
                self.near.setdefault((slot, parent), []).extend(others)
                for word in others:
                    # A step up is as likely as all steps aside together.
                    up = [parent] * (len(others) - 1) if parent != "-" else []
                    aside = [other for other in others if other != word]
                    self.near.setdefault((slot, word), []).extend(up + aside)
            self.words[slot] = [word for word in below if word != "-"]

    def looks(self, number: int, form: str, words: dict[str, str]) -> Iterator[tuple]:
        """What is seen of one sentence of a pair: each word, and how special each two are."""
        levels = [(slot, self.level[slot, word]) for slot, word in words.items()]
        yield from ((number, form, word) for word in words.values())
        for at, level in enumerate(levels):
            yield from ((number, form, level, other) for other in levels[at + 1 :])

    def relation(self, premise: Sentence, hypothesis: Sentence) -> str:
        """The label of a pair, each a form and its words.

        Kinds that neither sentence tells apart are one: so there are few. Slot by slot their number
        grows, and with it the sets (who and does of the premise, of the hypothesis) of them.
        """
        count, sets = 1, [1, 1, 1, 1]
        for slot in TREES:
            one, other = (self.kinds[slot, words[slot]] for _, words in (premise, hypothesis))
            rest = ~(one | other) & ((1 << LEAVES[slot]) - 1)
            regions = (one & other, one & ~other, other & ~one, rest)
            inside = ((1, 1), (1, 0), (0, 1), (0, 0))
            cells = [cell for cell, region in zip(inside, regions, strict=True) if region]
            for number, kinds in enumerate(sets):
                free = (slot in ABOUT) == bool(number % 2)  # this slot does not bound this set
                shifts = [at for at, cell in enumerate(cells) if free or cell[number // 2]]
                sets[number] = sum(kinds << at * count for at in shifts)
            count *= len(cells)
        return relation(claims(premise[0], *sets[:2]), claims(hypothesis[0], *sets[2:]))


def claims(form: str, who: int, does: int) -> list[Claim]:
    return {
        "every": [(True, who), (False, who & ~does)],
        "only": [(True, who & does), (False, does & ~who)],
        "some": [(True, who & does)],
        "no": [(False, who & does)],
        "not every": [(True, who & ~does)],
        "some not": [(True, who & ~does)],
    }[form]


def possible(claims: list[Claim]) -> bool:
    """Whether all of them can be true together."""
    empty = 0
    for some, kinds in claims:
        empty |= 0 if some else kinds
    return all(kinds & ~empty for some, kinds in claims if some)


def relation(premise: list[Claim], hypothesis: list[Claim]) -> str:
    if not possible(premise + hypothesis):
        return "contradiction"
    if not any(possible([*premise, (not some, kinds)]) for some, kinds in hypothesis):
        return "entailment"
    return "neutral"


# How they are written --------------------------------------------------------------------------


def sentence(form: str, words: dict[str, str], draw: random.Random) -> str:
    said = {slot: say(word, draw) for slot, word in words.items()}
    who, plural = (f"{said['mood']} {noun}" for noun in (said["agent"], plural_of(said["agent"])))
    what = f"{said['colour']} {said['object']}"
    does = f"{said['manner']} {said['verb']} {a(what)} {said['place']}"
    done = f"being {said['manner']} {participle(said['verb'])} by {a(who)} {said['place']}"
    texts = {
        "every": [f"every {who} is {does}", f"all {plural} are {does}"],
        "some": [f"{a(who)} is {does}", f"some {who} is {does}", f"{a(what)} is {done}"],
        "no": [f"no {who} is {does}", f"no {what} is {done}"],
        "not every": [f"not every {who} is {does}", f"not all {plural} are {does}"],
        "some not": [f"{a(who)} is not {does}", f"some {who} is not {does}"],
        "only": [f"only {plural} are {does}"],
    }[form]
    return " ".join(draw.choice(texts).split())


def say(word: str, draw: random.Random) -> str:
    return SYNONYMS[word] if word in SYNONYMS and draw.random() < 0.5 else word


def a(noun: str) -> str:
    noun = noun.strip()
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def plural_of(noun: str) -> str:
    return PLURALS.get(noun, f"{noun}s")


def participle(verb: str) -> str:
    return PARTICIPLES.get(verb, f"{verb.removesuffix('ing')}ed")
