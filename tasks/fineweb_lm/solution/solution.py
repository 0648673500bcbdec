"""Trains the model of model.py: Muon for the matrices, AdamW for the rest, a falling rate.

Windows come from a shuffled cut of the text, so that each token is seen about as often.
"""

import json
import os
from pathlib import Path

import numpy as np
import torch
from model import CONTEXT, LanguageModel
from torch.nn import functional

SEED = int(os.environ.get("SEED", "0"))
STEPS, BATCH = 280, 8
MATRICES, REST = 0.02, 0.01  # learning rates
WARM, FALL = 0.05, 0.6  # shares of the steps in which the rates rise, and fall to nothing


class Muon(torch.optim.Optimizer):
    """Momentum, made nearly orthogonal. In float32: PyTorch's own takes bfloat16, which is slower
    on most processors than all the rest of a step.
    """

    def __init__(self, matrices, lr, momentum=0.95):
        super().__init__(matrices, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for matrix in group["params"]:
                state = self.state[matrix]
                mean = state.setdefault("mean", torch.zeros_like(matrix))
                mean.lerp_(matrix.grad, 1 - group["momentum"])
                change = orthogonal(matrix.grad.lerp(mean, group["momentum"]))
                wide = max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5
                matrix.add_(change, alpha=-group["lr"] * wide)


def orthogonal(matrix):
    """The nearest orthogonal matrix, roughly: five Newton-Schulz steps on all singular values."""
    flip = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if flip else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.T if flip else x


def windows(tokens):
    """Batches [BATCH, CONTEXT + 1] without end: pass after pass, cut from another place each."""
    while True:
        shift = int(torch.randint(CONTEXT, ()))
        starts = torch.arange(shift, len(tokens) - CONTEXT - 1, CONTEXT)
        for batch in starts[torch.randperm(len(starts))].split(BATCH):
            yield tokens[batch[:, None] + torch.arange(CONTEXT + 1)]


def rate(step):
    done = step / STEPS
    return min((step + 1) / (WARM * STEPS), 1.0, (1 - done) / FALL)


def main():
    torch.manual_seed(SEED)
    tokens = torch.from_numpy(np.load("data/train.npy").astype(np.int64))
    end_of_text = json.loads(Path("data/tokenizer.json").read_text())["end_of_text"]
    model = LanguageModel(end_of_text + 1)
    matrices = list(model.blocks.parameters())
    optimizers = [
        Muon(matrices, MATRICES),
        torch.optim.AdamW(
            [model.token.weight, model.scale], lr=REST, betas=(0.9, 0.95), weight_decay=0.0
        ),
    ]
    schedules = [torch.optim.lr_scheduler.LambdaLR(each, rate) for each in optimizers]
    batches = windows(tokens)
    total = 0.0
    for step in range(1, STEPS + 1):
        window = next(batches)
        loss = functional.cross_entropy(
            model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten()
        )
        model.zero_grad()
        loss.backward()
        for each in (*optimizers, *schedules):
            each.step()
        total += loss.item()
        if step % 50 == 0:
            print(f"step {step}: training loss {total / 50:.3f}", flush=True)
            total = 0.0
    Path("weights").mkdir(exist_ok=True)
    torch.save(model.state_dict(), "weights/model.pt")
    print("wrote weights/model.pt")


if __name__ == "__main__":
    main()
