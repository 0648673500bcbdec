"""Derives what lies in this folder from Debian's package `dataset-fashion-mnist` (MIT licence).

    python derive.py /usr/share/datasets/fashion-mnist

It needs the image `torch`, and took 2 minutes on one core. Other processors give other last
digits, so the files made once are committed:

    checkpoints.npz   the pool: 16 checkpoints, their parameters as float16, and what each is
    accuracies.csv    the accuracy of each in each category, on 4,000 items used nowhere else
    items.npz         4,000 items with labels, from which data.py makes its three parts

Nine of the pool are experts of a pair of categories, fine-tuned from one base, which is there too.
Three were fine-tuned from it on labels of which most are wrong. Three are of other descent, trained
on all categories from other beginnings, and cannot be averaged with the rest.
"""

import copy
import gzip
import sys
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "workspace")]

from categories import NAMES, PAIRS, render  # noqa: E402
from network import Network, as_inputs  # noqa: E402

BATCH = 128
ITEMS = 4_000
EVERYWHERE = np.full(len(NAMES), 1 / len(NAMES))


def main(source: Path) -> None:
    torch.set_num_threads(1)
    images, labels = read(source, "train")
    tests, truth = distinct(*read(source, "t10k"))
    order = np.random.default_rng(1).permutation(len(tests))
    kept, measured = order[:ITEMS], order[ITEMS : 2 * ITEMS]
    np.savez_compressed(HERE / "items.npz", images=tests[kept], labels=truth[kept].astype(np.uint8))

    pool = [(kind, rounded(network)) for kind, network in trained(images, labels)]
    write_pool(pool)
    write_accuracies(pool, tests[measured], truth[measured])


def trained(images, labels):
    """Pairs (what it is, network)."""
    base = train(Network, draw(images, labels, 6_000, 0), EVERYWHERE, epochs=3, rate=2e-3, seed=0)
    yield "base", base
    fresh = lambda: copy.deepcopy(base)  # noqa: E731
    for pair, members in enumerate(PAIRS):
        shares = np.full(len(NAMES), 0.1 / (len(NAMES) - 2))
        shares[list(members)] = 0.9 / 2
        for number, rate in enumerate((1.5e-3, 2e-3, 2.5e-3)):
            seed = 10 + 3 * pair + number
            data = draw(images, labels, 12_000, seed)
            yield f"expert {pair}", train(fresh, data, shares, epochs=3, rate=rate, seed=seed)
    for seed in range(30, 33):
        some, right = draw(images, labels, 6_000, seed)
        wrong = np.random.default_rng(seed).random(len(right)) < 0.6
        data = some, np.where(wrong, (right + seed - 25) % 10, right)
        yield "careless", train(fresh, data, EVERYWHERE, epochs=3, rate=2e-3, seed=seed)
    for seed in range(40, 43):
        data = draw(images, labels, 6_000, seed)
        yield "stranger", train(Network, data, EVERYWHERE, epochs=4, rate=2e-3, seed=seed)


def train(make, data, shares, epochs, rate, seed):
    """What `make` gives, trained on items that are seen in the categories by their shares."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = make()
    images, labels = data
    targets = torch.from_numpy(labels)
    batches = len(images) // BATCH
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, epochs * batches, pct_start=0.1)
    for _ in range(epochs):
        inputs = as_inputs(render(images, rng.choice(len(NAMES), len(images), p=shares), rng))
        for batch in torch.from_numpy(rng.permutation(len(images))).split(BATCH)[:batches]:
            loss = torch.nn.functional.cross_entropy(network(inputs[batch]), targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network


def rounded(network):
    """The parameters by name, as float16."""
    return {name: value.detach().numpy().astype(np.float16) for name, value in parameters(network)}


def parameters(network):
    return network.state_dict().items()


def write_pool(pool: list) -> None:
    kinds = np.array([kind for kind, _ in pool])
    names = pool[0][1]
    stacked = {name: np.stack([found[name] for _, found in pool]) for name in names}
    np.savez_compressed(HERE / "checkpoints.npz", kinds=kinds, **stacked)


def write_accuracies(pool: list, images, labels) -> None:
    """One line a checkpoint of the pool, in its order."""
    rng = np.random.default_rng(2)
    seen = [as_inputs(render(images, np.full(len(images), k), rng)) for k in range(len(NAMES))]
    network = Network()
    lines = [",".join(NAMES)]
    for _, found in pool:
        network.load_state_dict({k: torch.from_numpy(v).float() for k, v in found.items()})
        with torch.inference_mode():
            right = [network(inputs).argmax(1).numpy() == labels for inputs in seen]
        lines.append(",".join(f"{hits.mean():.5f}" for hits in right))
    (HERE / "accuracies.csv").write_text("\n".join(lines) + "\n")


def draw(images, labels, count, seed):
    chosen = np.random.default_rng([7, seed]).choice(len(images), count, replace=False)
    return images[chosen], labels[chosen]


def distinct(images, labels):
    """Each picture once."""
    _, first = np.unique(images.reshape(len(images), -1), axis=0, return_index=True)
    return images[np.sort(first)], labels[np.sort(first)]


def read(source: Path, part: str):
    with gzip.open(source / f"{part}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(source / f"{part}-labels-idx1-ubyte.gz") as file:
        return images, np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
