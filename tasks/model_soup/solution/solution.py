"""Soup of category experts: the best of each cluster of categories, then learned weights.

Weights may be negative: with the experts found, gradient descent also finds how far to move away
from what they have in common.
"""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from network import Network, as_inputs
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from soup import accuracies, load, make_soup

SEED = int(os.environ.get("SEED", "0"))
STEPS, BATCH, RATE = 150, 512, 0.02


def main():
    checkpoints = load("data/checkpoints.npz")
    names = checkpoints["names"].tolist()
    experts = choose_experts(pd.read_csv("data/accuracies.csv", index_col="name").loc[names])
    weights = np.zeros(len(names))
    weights[experts] = 1 / len(experts)
    show("experts alike", checkpoints, weights)
    weights = learn(checkpoints, weights)
    show("learned", checkpoints, weights)
    with Path("weights.json").open("w") as out:
        json.dump(dict(zip(names, weights.tolist(), strict=True)), out, indent=1)


def choose_experts(table):
    """Numbers of the checkpoints that are best at each cluster of categories.

    Good checkpoints are good at everything: what tells categories apart is where each checkpoint is
    better than it is on the whole.
    """
    beyond = table.sub(table.mean(axis=1), axis=0)
    apart = np.clip(1 - beyond.corr().to_numpy(), 0, 2)
    clusters = fcluster(linkage(squareform(apart, checks=False), "average"), 0.9, "distance")
    experts = []
    for cluster in np.unique(clusters):
        members = table.columns[clusters == cluster]
        best = int(table[members].mean(axis=1).to_numpy().argmax())
        print(f"{', '.join(members)}: {table.index[best]}")
        if best not in experts:
            experts.append(best)
    return experts


def learn(checkpoints, weights):
    """Weights [N] adding up to one, by gradient descent through the soup from those given."""
    examples = load("data/examples.npz")
    inputs, labels = as_inputs(examples["images"]), torch.from_numpy(examples["labels"]).long()
    network = Network()
    stacked = {name: torch.from_numpy(checkpoints[name]).float() for name in network.state_dict()}
    start = torch.from_numpy(weights).float()
    change = torch.zeros_like(start, requires_grad=True)
    optimizer = torch.optim.Adam([change], RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    generator = torch.Generator().manual_seed(SEED)
    for _ in range(STEPS):
        batch = torch.randint(len(labels), (BATCH,), generator=generator)
        mixed = start + change - change.mean()
        soup = {name: torch.tensordot(mixed, part, 1) for name, part in stacked.items()}
        found = torch.func.functional_call(network, soup, (inputs[batch],))
        loss = torch.nn.functional.cross_entropy(found, labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return (start + change - change.mean()).detach().double().numpy()


def show(title, checkpoints, weights):
    found = accuracies(make_soup(checkpoints, weights))
    print(f"{title}: {sum(found.values()) / len(found):.4f} on the public examples")
    for name, weight in zip(checkpoints["names"], weights, strict=True):
        print(f"    {name} {weight:6.2f}")


if __name__ == "__main__":
    main()
