"""Scores submission.csv by BLEU-4 of its captions against five hidden references each."""

import csv

from bleu import corpus_bleu, words
from mlgym_kit_csv import read_predictions

ID, TEXT = "id", "caption"
MOST = 50  # words of a caption


def grade(submission, answers, split, rng):
    """`bleu4` of all captions; `bleu4_new` of those whose combination no training scene shows."""
    parts = {part: read_references(answers / f"{part}.csv") for part in ("validation", "test")}
    ids = [*parts["validation"], *parts["test"]]
    told = read_predictions(submission / "submission.csv", ID, ids, TEXT, caption)
    references = parts[split]
    found = {"bleu4": bleu_of(told, references, list(references))}
    new = [name for name, (is_new, _) in references.items() if is_new]
    if new:
        found["bleu4_new"] = bleu_of(told, references, new)
    return found


def bleu_of(told, references, names):
    return corpus_bleu([told[name] for name in names], [references[name][1] for name in names])


def caption(cell):
    """The words of a cell. Raises ValueError."""
    found = words(cell)
    if not 1 <= len(found) <= MOST or len(cell) > 1000:
        raise ValueError(f"a caption of 1 to {MOST} words")
    return found


def read_references(path):
    """By id: whether the combination is new, and the captions as lists of words."""
    references = {}
    with path.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            texts = [words(text) for name, text in row.items() if name.startswith(TEXT) and text]
            references[row[ID]] = row["new"] == "1", texts
    return references
