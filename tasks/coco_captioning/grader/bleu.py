"""BLEU-4 of a whole corpus, as it was defined: clipped n-gram precisions and a brevity penalty."""

import math
import re
from collections import Counter

LONGEST = 4  # words of an n-gram
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def words(text):
    """A text's words in lower case, without punctuation."""
    return WORD.findall(text.lower())


def corpus_bleu(captions, references):
    """BLEU-4 of captions (lists of words), each against its references (lists of such), 0 to 1.

    Counts are added up over the corpus before precisions are taken; each n-gram counts at most as
    often as in the reference that has most of it. The length to be reached is that of the reference
    nearest in length, the shorter one of two.
    """
    matched, possible = [0] * LONGEST, [0] * LONGEST
    length = wanted = 0
    for caption, given in zip(captions, references, strict=True):
        length += len(caption)
        wanted += min((abs(len(text) - len(caption)), len(text)) for text in given)[1]
        for order in range(1, LONGEST + 1):
            most = Counter()
            for text in given:
                most |= grams(text, order)
            found = grams(caption, order)
            matched[order - 1] += sum((found & most).values())
            possible[order - 1] += sum(found.values())
    if not all(matched):
        return 0.0
    precisions = sum(map(math.log, matched)) - sum(map(math.log, possible))
    brevity = min(0.0, 1 - wanted / length)
    return math.exp(precisions / LONGEST + brevity)


def grams(text, order):
    """How often each run of `order` words occurs."""
    return Counter(tuple(text[start : start + order]) for start in range(len(text) - order + 1))
