"""The uniform soup: every checkpoint counts the same."""

import json
from pathlib import Path

import numpy as np
from soup import accuracies, load, make_soup

checkpoints = load("data/checkpoints.npz")
names = checkpoints["names"].tolist()
weights = np.full(len(names), 1 / len(names))

with Path("weights.json").open("w") as out:
    json.dump(dict(zip(names, weights.tolist(), strict=True)), out, indent=1)

found = accuracies(make_soup(checkpoints, weights))
for category, accuracy in found.items():
    print(f"{category:14} {accuracy:.4f}")
print(f"{'mean':14} {sum(found.values()) / len(found):.4f}  on the public examples")
