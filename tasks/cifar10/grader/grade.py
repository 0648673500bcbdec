"""Scores submission.csv against the hidden labels: the share of pictures that are named rightly."""

import csv
from pathlib import Path

from mlgym_kit_csv import class_label, read_predictions

ID, LABEL, CLASSES = "id", "label", 10


def grade(submission: Path, answers: Path, split: str, rng: object) -> dict[str, float]:
    labels = {part: read_labels(answers / f"{part}.csv") for part in ("validation", "test")}
    ids = [*labels["validation"], *labels["test"]]
    file = submission / "submission.csv"
    predicted = read_predictions(file, ID, ids, LABEL, class_label(CLASSES))

    truth = labels[split]
    right = sum(predicted[name] == label for name, label in truth.items())
    return {"accuracy": right / len(truth)}


def read_labels(path: Path) -> dict[str, int]:
    with path.open(newline="") as stream:
        return {row[ID]: int(row[LABEL]) for row in csv.DictReader(stream)}
