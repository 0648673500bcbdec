"""Reads each sentence with the other one beside it (ESIM): reads data/, writes submission.csv.

Two recurrent readers with an alignment between them: every word looks for its counterpart in the
other sentence, and a second reader goes over what both have in common and where they differ.
"""

import csv
import os
from pathlib import Path

import torch
from torch import nn

SEED = int(os.environ.get("SEED", "0"))
LABELS = ("entailment", "neutral", "contradiction")
EPOCHS, BATCH, LEARNING_RATE = 12, 128, 3e-3
WORDS, HIDDEN, LONGEST = 64, 64, 48


def read(path):
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def words(sentence):
    return sentence.lower().split()[:LONGEST]


def numbers(sentences, vocabulary):
    """Word numbers [n, length]; 0 fills up, 1 is a word that is not in the vocabulary."""
    rows = [torch.tensor([vocabulary.get(w, 1) for w in words(s)] or [1]) for s in sentences]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True)


class Esim(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.embed = nn.Embedding(size, WORDS, padding_idx=0)
        self.read = nn.GRU(WORDS, HIDDEN, batch_first=True, bidirectional=True)
        self.compare = nn.Sequential(nn.Linear(8 * HIDDEN, HIDDEN), nn.ReLU(), nn.Dropout(0.1))
        self.compose = nn.GRU(HIDDEN, HIDDEN, batch_first=True, bidirectional=True)
        self.decide = nn.Sequential(
            nn.Linear(8 * HIDDEN, 2 * HIDDEN), nn.ReLU(), nn.Linear(2 * HIDDEN, len(LABELS))
        )

    def forward(self, premise, hypothesis):
        there = [x > 0 for x in (premise, hypothesis)]
        p, h = (self.read(self.embed(x))[0] for x in (premise, hypothesis))
        alike = p @ h.transpose(1, 2) / p.shape[2] ** 0.5
        to_h = alike.masked_fill(~there[1][:, None, :], -1e4).softmax(dim=2)
        to_p = alike.masked_fill(~there[0][:, :, None], -1e4).softmax(dim=1)
        pooled = [
            self.pool(p, to_h @ h, there[0]),
            self.pool(h, to_p.transpose(1, 2) @ p, there[1]),
        ]
        return self.decide(torch.cat(pooled, dim=1))

    def pool(self, own, other, there):
        """One sentence [n, length, 2 HIDDEN] beside its counterparts, as [n, 4 HIDDEN]."""
        both = torch.cat([own, other, own - other, own * other], dim=2)
        read = self.compose(self.compare(both))[0]
        mean = (read * there[..., None]).sum(dim=1) / there.sum(dim=1, keepdim=True)
        return torch.cat([mean, read.masked_fill(~there[..., None], -1e4).amax(dim=1)], dim=1)


def batches(premises, hypotheses, order):
    """Rows of each batch and their words, cut to the batch's longest sentence."""
    for rows in order.split(BATCH):
        pair = [x[rows] for x in (premises, hypotheses)]
        yield rows, *(x[:, : int((x > 0).sum(dim=1).max())] for x in pair)


def main():
    torch.manual_seed(SEED)
    train, test = read("data/train.csv"), read("data/test.csv")
    known = {w for row in train for w in words(row["premise"]) + words(row["hypothesis"])}
    vocabulary = {word: number for number, word in enumerate(sorted(known), start=2)}
    pairs = [
        numbers([row[side] for row in train], vocabulary) for side in ("premise", "hypothesis")
    ]
    labels = torch.tensor([LABELS.index(row["label"]) for row in train])

    model = Esim(len(vocabulary) + 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    steps = EPOCHS * -(-len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.1
    )
    for epoch in range(EPOCHS):
        total, right = 0.0, 0
        for rows, premise, hypothesis in batches(*pairs, torch.randperm(len(labels))):
            logits = model(premise, hypothesis)
            loss = nn.functional.cross_entropy(logits, labels[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
            right += int((logits.argmax(dim=1) == labels[rows]).sum())
        print(f"epoch {epoch + 1:2d}: loss {total / len(labels):.4f}, {right} right", flush=True)

    model.eval()
    pairs = [numbers([row[side] for row in test], vocabulary) for side in ("premise", "hypothesis")]
    with torch.no_grad():
        found = torch.cat(
            [model(p, h).argmax(dim=1) for _, p, h in batches(*pairs, torch.arange(len(test)))]
        )
    with Path("submission.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "label"])
        writer.writerows(
            [row["id"], LABELS[k]] for row, k in zip(test, found.tolist(), strict=True)
        )
    print(f"wrote {len(test)} predictions to submission.csv")


if __name__ == "__main__":
    main()
