"""Byte-pair encoding: learns tokens from texts, reads GPT-2's, and turns texts into numbers.

A tokenizer is the list of its tokens' bytes in the order of their numbers. The first 256 are the
single bytes; every other one is two earlier ones put together. Of a word's neighbours, those are
merged first whose whole has the lowest number.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

# Words with the blank before them, numbers, other signs, and white space: nothing is merged across.
WORDS = re.compile(r"'(?:[sdmt]|ll|ve|re)| ?[^\W\d_]+| ?\d+| ?(?:[^\w\s]|_)+|\s+(?!\S)|\s+")


def learn(texts: Iterable[str], size: int) -> list[bytes]:
    """`size` tokens: pair after pair, the most frequent one in the texts becomes a token."""
    tokens = [bytes([byte]) for byte in range(256)]
    counts = Counter(word for text in texts for word in WORDS.findall(text))
    words = [[bytes([byte]) for byte in word.encode()] for word in counts]
    times = list(counts.values())
    pairs: Counter[tuple[bytes, bytes]] = Counter()
    where: defaultdict[tuple[bytes, bytes], set[int]] = defaultdict(set)
    for at, word in enumerate(words):
        for pair in pairwise(word):
            pairs[pair] += times[at]
            where[pair].add(at)
    while len(tokens) < size:
        most = max(pairs.values())
        best = max(pair for pair, count in pairs.items() if count == most)
        tokens.append(best[0] + best[1])
        for at in where.pop(best):
            old = words[at]
            words[at] = new = merged(old, best)
            for pair in pairwise(old):
                pairs[pair] -= times[at]
            for pair in pairwise(new):
                pairs[pair] += times[at]
                where[pair].add(at)
        del pairs[best]
    return tokens


def merged(word: list[bytes], pair: tuple[bytes, bytes]) -> list[bytes]:
    """The word's parts, with each such pair made one."""
    parts: list[bytes] = []
    at = 0
    while at < len(word):
        step = 2 if tuple(word[at : at + 2]) == pair else 1
        parts.append(b"".join(word[at : at + step]))
        at += step
    return parts


def gpt2_tokens(lines: Iterable[str]) -> list[bytes]:
    """The tokens of GPT-2 from its list of merges, where bytes are written as signs."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    order = [*shown, *hidden]
    signs = {chr(byte): byte for byte in shown}
    signs |= {chr(256 + number): byte for number, byte in enumerate(hidden)}
    tokens = [bytes([byte]) for byte in order]
    for line in lines:
        if line.strip() and not line.startswith("#version"):
            tokens.append(bytes(signs[sign] for sign in line.strip() if sign != " "))
    return tokens


class Encoder:
    def __init__(self, tokens: list[bytes]) -> None:
        self._numbers = {token: number for number, token in enumerate(tokens)}
        self._known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        return [number for word in WORDS.findall(text) for number in self._word(word)]

    def _word(self, word: str) -> list[int]:
        found = self._known.get(word)
        if found is None:
            found = self._known[word] = self._merge([bytes([byte]) for byte in word.encode()])
        return found

    def _merge(self, parts: list[bytes]) -> list[int]:
        none = len(self._numbers)
        while len(parts) > 1:
            pairs = list(pairwise(parts))
            ranks = [self._numbers.get(one + other, none) for one, other in pairs]
            if min(ranks) == none:
                break
            parts = merged(parts, pairs[ranks.index(min(ranks))])
        return [self._numbers[part] for part in parts]
