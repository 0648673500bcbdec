"""A small residual network, trained on shifted and mirrored pictures: writes submission.csv.

The first convolutions halve the picture twice, so that an epoch costs seconds on a core. Blots
hide a part of each training picture; the weights that predict are an average over training; a
picture's prediction is the mean of it and its mirror image.
"""

import os

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad, relu

SEED = int(os.environ.get("SEED", "0"))
EPOCHS, BATCH, PEAK = 14, 128, 0.01


def conv(channels_in: int, channels: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(channels_in, channels, size, stride, padding=1, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(channels))


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(conv(channels, channels), nn.ReLU(), conv(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        return relu(x + self.inner(x))


def network() -> nn.Module:
    """From pictures [N, 1, 28, 28] to logits [N, 10]."""
    model = nn.Sequential(
        conv(1, 32, size=4, stride=2),  # to 14 x 14
        nn.ReLU(),
        conv(32, 64, stride=2),  # to 7 x 7
        nn.ReLU(),
        Residual(64),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )
    return model.to(memory_format=torch.channels_last)


def augmented(x: Tensor) -> Tensor:
    """Each picture mirrored or not, shifted by up to 2 pixels, with a blot of noise."""
    count, side = len(x), x.shape[-1]
    x = torch.where(torch.rand(count, 1, 1, 1) < 0.5, x.flip(3), x)
    grid = torch.arange(side)
    rows = grid[None] + torch.randint(0, 5, (count, 1))
    columns = grid[None] + torch.randint(0, 5, (count, 1))
    padded = pad(x, (2, 2, 2, 2), value=float(x.min()))
    each = torch.arange(count)[:, None, None]
    x = padded[each, 0, rows[:, :, None], columns[:, None, :]][:, None]
    top, left = torch.randint(-4, side - 4, (2, count, 1))
    in_rows = (grid >= top) & (grid < top + 8)
    in_columns = (grid >= left) & (grid < left + 8)
    blot = (in_rows[:, :, None] & in_columns[:, None, :])[:, None]
    return torch.where(blot & (torch.rand(count, 1, 1, 1) < 0.5), torch.randn_like(x), x)


def train(x: Tensor, y: Tensor) -> nn.Module:
    model = network()
    steps = EPOCHS * (len(x) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, steps, pct_start=0.2)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99), use_buffers=True
    )
    for epoch in range(EPOCHS):
        total = 0.0
        order = torch.randperm(len(x))[: len(x) // BATCH * BATCH]
        for batch in order.split(BATCH):
            inputs = augmented(x[batch]).contiguous(memory_format=torch.channels_last)
            loss = cross_entropy(model(inputs), y[batch], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            average.update_parameters(model)
            total += loss.item() * len(batch)
        print(f"epoch {epoch}: training loss {total / len(order):.3f}", flush=True)
    return average.eval()


def main() -> None:
    torch.manual_seed(SEED)
    files = np.load("data/train.npz"), np.load("data/test.npz")
    x, x_test = (torch.tensor(file["image"])[:, None].float() for file in files)
    mean, std = x.mean(), x.std()
    x, x_test = (x - mean) / std, (x_test - mean) / std
    model = train(x, torch.tensor(files[0]["label"]).long())
    with torch.no_grad():
        both = [
            torch.cat([model(part).softmax(1) for part in seen.split(500)])
            for seen in (x_test, x_test.flip(3))
        ]
    predicted = (both[0] + both[1]).argmax(1)
    submission = pd.DataFrame({"id": files[1]["id"], "label": predicted.numpy()})
    submission.to_csv("submission.csv", index=False)
    print(f"wrote {len(submission)} predictions to submission.csv")


if __name__ == "__main__":
    main()
