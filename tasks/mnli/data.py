"""Prepares pairs of sentences for natural-language inference: premise, hypothesis, label.

`mini` is written by the grammar beside this file. Many pairs are tried, their labels decided, and
thinned until neither sentence alone tells the label. `full` reads MNLI; its matched validation
rows, whose labels are public there, are the hidden ones here.
"""

import csv
import gzip
import json
import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from grammar import FORMS, Vocabulary, sentence

LABELS = ("entailment", "neutral", "contradiction")
TRAIN, HIDDEN = 9000, 2000  # pairs for training, and in each of the hidden parts
TRIED = 9  # pairs that are tried for one that is taken
Pair = tuple[str, str, str]


def prepare(profile: str, data_seed: int, public: Path, private: Path) -> None:
    rng = np.random.default_rng([data_seed, 7])
    if profile == "mini":
        pairs = write_pairs(TRAIN + 2 * HIDDEN, data_seed)
        train, hidden = pairs[: -2 * HIDDEN], pairs[-2 * HIDDEN :]
    else:
        train, hidden = read_mnli(Path(os.environ["MLGYM_SOURCES"]) / "nyu-mll__glue__mnli")
    ids = rng.permutation(len(hidden)) + 1
    order = rng.permutation(len(hidden))
    # Each half is a random one: order and ids are drawn apart.
    rows = [(int(at), *hidden[row]) for at, row in zip(ids, order, strict=True)]
    validation, test = sorted(rows[: len(rows) // 2]), sorted(rows[len(rows) // 2 :])
    write(public / "train.csv", "premise,hypothesis,label", train)
    write(public / "test.csv", "id,premise,hypothesis", [row[:3] for row in sorted(rows)])
    write(public / "sample_submission.csv", "id,label", [(at, "neutral") for at in sorted(ids)])
    write(private / "validation.csv", "id,label", [(row[0], row[3]) for row in validation])
    write(private / "test.csv", "id,label", [(row[0], row[3]) for row in test])


def write(path: Path, header: str, rows: Iterable[tuple]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)


def read_mnli(folder: Path) -> tuple[list[Pair], list[Pair]]:
    """The training pairs and the hidden ones; whatever is hidden is nowhere else."""
    train, hidden = (dict(read_rows(folder, name)) for name in ("train", "validation_matched"))
    shown = [(*texts, label) for texts, label in train.items() if texts not in hidden]
    return shown, [(*texts, label) for texts, label in hidden.items()]


def read_rows(folder: Path, name: str) -> Iterator[tuple[tuple[str, str], str]]:
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if row["label"] in range(len(LABELS)):  # -1 where the annotators did not agree
                texts = (" ".join(row[side].split()) for side in ("premise", "hypothesis"))
                yield tuple(texts), LABELS[row["label"]]


def write_pairs(count: int, seed: int) -> list[Pair]:
    """`count` pairs, no two alike, whose sentences do not tell the label when seen alone."""
    vocabulary = Vocabulary()
    draw = random.Random(seed)
    pool: dict[tuple[str, str], tuple[int, list[tuple]]] = {}
    for _ in range(TRIED * count):
        words = {slot: draw.choice(found) for slot, found in vocabulary.words.items()}
        both = [(draw.choice(FORMS), words), (draw.choice(FORMS), altered(words, vocabulary, draw))]
        draw.shuffle(both)
        label = vocabulary.relation(*both)
        if label != "neutral" or draw.random() < 0.2:  # most are
            texts = tuple(sentence(*one, draw) for one in both)
            looks = [look for at, one in enumerate(both) for look in vocabulary.looks(at, *one)]
            pool.setdefault(texts, (LABELS.index(label), looks))
    labels = np.array([label for label, _ in pool.values()])
    looks = zip(*(looks for _, looks in pool.values()), strict=True)
    weights = balanced(labels, [list(look) for look in looks])
    rng = np.random.default_rng(seed)
    # The smallest of exponential times: a weighted draw without putting back. The likeliest would
    # stand first.
    times = rng.exponential(size=len(labels)) / np.maximum(weights, 1e-12)
    taken = rng.permutation(np.argsort(times)[:count])
    pairs = list(pool)
    return [(*pairs[at], LABELS[labels[at]]) for at in taken]


def altered(words: dict[str, str], vocabulary: Vocabulary, draw: random.Random) -> dict[str, str]:
    """The same words, but for some that are more general, more special, or beside them."""
    return {
        slot: draw.choice(vocabulary.near[slot, word]) if draw.random() < 0.25 else word
        for slot, word in words.items()
    }


def balanced(labels: np.ndarray, looks: list[list[tuple]], rounds: int = 20) -> np.ndarray:
    """Weights under which whatever has one look has every label equally often, or is left out."""
    weights = np.ones(len(labels))
    columns = []
    for look in looks:
        numbers = {name: number for number, name in enumerate(dict.fromkeys(look))}
        columns.append(3 * np.array([numbers[name] for name in look]))
    for _ in range(rounds):
        for column in columns:
            mass = np.bincount(column + labels, weights, column.max() + 3).reshape(-1, 3)
            wanted = mass.mean(axis=1, keepdims=True) * (mass.min(axis=1, keepdims=True) > 0)
            factor = np.divide(wanted, mass, out=np.zeros_like(mass), where=mass > 0)
            weights *= factor.ravel()[column + labels]
    return weights
