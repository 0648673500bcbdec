"""Scores submission.csv against the hidden labels: the percentage that is right."""

import csv
from pathlib import Path

from mlgym_kit_csv import read_predictions

LABELS = ("entailment", "neutral", "contradiction")


def grade(submission: Path, answers: Path, split: str, rng: object) -> dict[str, float]:
    labels = {part: read_labels(answers / f"{part}.csv") for part in ("validation", "test")}
    ids = [*labels["validation"], *labels["test"]]
    predicted = read_predictions(submission / "submission.csv", "id", ids, "label", label)
    truth = labels[split]
    right = sum(predicted[name] == known for name, known in truth.items())
    return {"accuracy": 100 * right / len(truth)}


def label(cell: str) -> str:
    if cell not in LABELS:
        raise ValueError(f"one of {', '.join(LABELS)}")
    return cell


def read_labels(path: Path) -> dict[str, str]:
    with path.open(newline="") as stream:
        return {row["id"]: row["label"] for row in csv.DictReader(stream)}
