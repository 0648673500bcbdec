"""A convolutional encoder and a recurrent decoder with attention, trained on all captions.

The captions of a picture are of several kinds, and a decoder that has to guess the kind hedges. So
each is begun by one of two words: one for the caption that shares most with the picture's others,
one for the rest. New pictures are told in the first manner.
"""

import csv
import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from model import Eyes, Teller, telling_loss, told

SEED = int(os.environ.get("SEED", "0"))
STEPS, BATCH, RATE = 800, 64, 2e-3
PAD, TYPICAL, OTHER, END, RARE = range(5)
RARELY = 5  # a word that is seen less often is unknown
MOST = 16  # words of a caption


def read_captions():
    """The captions of each training picture, as lists of words, by id."""
    found = {}
    with Path("data/train.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            words = re.findall(r"[a-z']+", row["caption"].lower())[:MOST]
            found.setdefault(int(row["id"]), []).append(words)
    return found


def typical(captions):
    """The number of the caption whose runs of up to four words the others share most."""

    def runs(words):
        return {
            tuple(words[at : at + size])
            for size in (1, 2, 3, 4)
            for at in range(len(words) - size + 1)
        }

    each = [runs(words) for words in captions]
    counts = Counter(run for found in each for run in found)
    return max(range(len(each)), key=lambda row: sum(counts[run] - 1 for run in each[row]))


def numbered(captions, vocabulary):
    """All captions [N, 5, T] as numbers of words, padded; the typical one of each comes first."""
    size = max(map(len, captions))
    texts = np.zeros((len(captions), size, MOST + 2), np.int64)
    for row, given in enumerate(captions):
        best = typical(given)
        ordered = [given[best], *given[:best], *given[best + 1 :]]
        for place in range(size):
            words = ordered[place % len(ordered)]
            numbers = [vocabulary.get(word, RARE) for word in words]
            text = [OTHER if place else TYPICAL, *numbers, END]
            texts[row, place, : len(text)] = text
    longest = (texts > 0).sum(axis=2).max()
    return torch.tensor(texts[:, :, :longest])


def train(images, texts, words):
    torch.manual_seed(SEED)
    eyes, teller = Eyes(), Teller(words)
    weights = [*eyes.parameters(), *teller.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS, pct_start=0.1)
    rng = np.random.default_rng(SEED)
    order = np.zeros(0, np.int64)
    for step in range(STEPS):
        if len(order) < BATCH:
            order = rng.permutation(len(images))
        rows, order = torch.tensor(order[:BATCH]), order[BATCH:]
        regions = eyes(shifted(prepared(images[rows]), rng))
        others = torch.tensor(rng.integers(1, texts.shape[1], BATCH))
        both = torch.cat([texts[rows, 0], texts[rows, others]])
        loss = telling_loss(teller, regions.repeat(2, 1, 1), both)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 2.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss:.3f}", flush=True)
    return eyes.eval(), teller.eval()


def prepared(images):
    """Pictures [B, H, W, 3] of bytes as [B, 3, H, W] around 0."""
    return images.permute(0, 3, 1, 2).float() / 64 - 2


def shifted(pictures, rng):
    """All of a batch moved by a few pixels, and a little brighter or darker."""
    down, across = rng.integers(-3, 4, 2).tolist()
    moved = torch.roll(pictures, (down, across), dims=(2, 3))
    return moved + 0.1 * torch.randn(len(pictures), 3, 1, 1)


def main():
    train_file, test_file = np.load("data/train.npz"), np.load("data/test.npz")
    known = read_captions()
    captions = [known[number] for number in train_file["id"].tolist()]
    counts = Counter(word for given in captions for words in given for word in words)
    names = sorted(word for word, count in counts.items() if count >= RARELY)
    vocabulary = {word: number for number, word in enumerate(names, start=RARE + 1)}
    texts = numbered(captions, vocabulary)
    eyes, teller = train(torch.tensor(train_file["images"]), texts, len(names) + RARE + 1)

    out = Path("submission.csv")
    with out.open("w", newline="", encoding="utf-8") as stream, torch.no_grad():
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["id", "caption"])
        images = torch.tensor(test_file["images"])
        for start in range(0, len(images), 200):
            regions = eyes(prepared(images[start : start + 200]))
            rows = told(teller, regions, TYPICAL, END, MOST).tolist()
            for name, row in zip(test_file["id"][start : start + 200], rows, strict=True):
                said = [names[number - RARE - 1] for number in row if number > RARE]
                writer.writerow([name, " ".join(said) or names[0]])
    print(f"wrote {len(images)} captions to submission.csv")


if __name__ == "__main__":
    main()
