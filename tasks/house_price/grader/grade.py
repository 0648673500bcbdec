"""Scores submission.csv against the hidden prices: r2 and the root mean squared error."""

import csv
import math
from pathlib import Path

from mlgym_kit_csv import finite_number, read_predictions

ID, LABEL = "id", "SalePrice"


def grade(submission: Path, answers: Path, split: str, rng: object) -> dict[str, float]:
    prices = {part: read_prices(answers / f"{part}.csv") for part in ("validation", "test")}
    ids = [*prices["validation"], *prices["test"]]
    predicted = read_predictions(submission / "submission.csv", ID, ids, LABEL, finite_number)

    truth = prices[split]
    mean = sum(truth.values()) / len(truth)
    spread = sum(square(price - mean) for price in truth.values())
    error = sum(square(price - predicted[name]) for name, price in truth.items())
    return {"r2": 1 - error / spread, "rmse": math.sqrt(error / len(truth))}


def square(value: float) -> float:
    return value * value  # `value**2` would raise where this is inf


def read_prices(path: Path) -> dict[str, float]:
    with path.open(newline="") as stream:
        return {row[ID]: float(row[LABEL]) for row in csv.DictReader(stream)}
