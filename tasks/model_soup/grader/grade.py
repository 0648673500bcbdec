"""Averages the checkpoints by weights.json itself, and measures the soup on hidden images.

A submission is numbers only: one for each checkpoint, or one for each checkpoint and layer. So
nothing but a combination of the given checkpoints can be graded.
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from mlgym_kit import SubmissionError
from network import LAYERS, Network, as_inputs

FILE = "weights.json"
LARGEST = 10.0
SLACK = 1e-3
BATCH = 2_000


def grade(submission: Path, answers: Path, split: str, rng: object) -> dict[str, float]:
    names = (answers / "names.txt").read_text().split()
    weights = read_weights(submission / FILE, names)
    soup = make_soup(weights, np.load(answers / "parameters.npy"))
    with np.load(answers / f"{split}.npz") as hidden:
        right = predictions(soup, hidden["images"]) == hidden["labels"]
        categories = hidden["categories"]
    found = [float(right[categories == name].mean()) for name in np.unique(categories)]
    return {"accuracy": sum(found) / len(found), "worst_category": min(found)}


def make_soup(weights, parameters):
    """The network whose layers are combinations of those of the checkpoints.

    `weights` [checkpoints, layers], `parameters` [checkpoints, numbers] in the network's order.
    """
    network = Network()
    begin = 0
    state = {}
    for name, tensor in network.state_dict().items():
        part = parameters[:, begin : begin + tensor.numel()].astype(np.float64)
        mixed = weights[:, LAYERS.index(name.partition(".")[0])] @ part
        state[name] = torch.from_numpy(mixed.astype(np.float32)).view_as(tensor)
        begin += tensor.numel()
    network.load_state_dict(state)
    return network


@torch.inference_mode()
def predictions(network, images):
    """Classes [N] of images [N, 28, 28]."""
    batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    return np.concatenate([network(as_inputs(batch)).argmax(1).numpy() for batch in batches])


def read_weights(path: Path, names: list[str]):
    """The weights [checkpoints, layers], those of each layer adding up to exactly one."""
    try:
        given = json.loads(path.read_bytes(), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise SubmissionError(f"{FILE}: is not JSON: {error!s:.200}") from None
    if not isinstance(given, dict):
        raise SubmissionError(f"{FILE}: expected an object with a weight for each checkpoint")
    for name in given:
        if name not in names:
            raise SubmissionError(f"{FILE}: {name!r:.60} is no checkpoint")
    for name in names:
        if name not in given:
            raise SubmissionError(f"{FILE}: {name} is missing; a weight may be 0")
    weights = np.array([of_layers(name, given[name]) for name in names])
    sums = [math.fsum(column) for column in weights.T]
    for layer, total in zip(LAYERS, sums, strict=True):
        if abs(total - 1) > SLACK:
            raise SubmissionError(
                f"{FILE}: the weights of {layer} add up to {total:.6g}, expected 1 "
                f"(within {SLACK:g})"
            )
    return weights / sums


def of_layers(name: str, given: object) -> list[float]:
    """A checkpoint's weight in each layer."""
    if not isinstance(given, dict):
        return [number(name, given)] * len(LAYERS)
    for layer in given:
        if layer not in LAYERS:
            raise SubmissionError(f"{FILE}: {name}: {layer!r:.60} is no layer")
    for layer in LAYERS:
        if layer not in given:
            raise SubmissionError(f"{FILE}: {name}: {layer} is missing; a weight may be 0")
    return [number(f"{name}, {layer}", given[layer]) for layer in LAYERS]


def number(where: str, value: object) -> float:
    expected = f"expected a number from {-LARGEST:g} to {LARGEST:g}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SubmissionError(f"{FILE}: {where}: found {shown(value)}, {expected}")
    # Also false for NaN. A whole number of any length can be compared, but not always turned.
    if not -LARGEST <= value <= LARGEST:
        raise SubmissionError(f"{FILE}: {where}: found {shown(value)}, {expected}")
    return float(value)


def shown(value: object) -> str:
    """A value in a few characters. Lists and objects may be too deep to be written out."""
    match value:
        case None | bool() | str():
            return f"{json.dumps(value):.60}"
        case float():
            return f"{value:.6g}"
        case int():
            return f"{value}" if abs(value) < 10**15 else "a very large whole number"
        case list():
            return "a list"
        case _:
            return "an object"


def once(pairs):
    """An object without repeated keys."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found
