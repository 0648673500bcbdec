"""A small residual network, trained on changed pictures: reads data/, writes submission.csv.

The first convolutions halve the picture twice, so that an epoch costs seconds on a core.
Training pictures are mirrored, turned, scaled, shifted and recoloured; blots hide a part of some.
The weights that predict are an average over training; a picture's prediction is the mean of it and
its mirror image.
"""

import os

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample, relu

SEED = int(os.environ.get("SEED", "0"))
EPOCHS, BATCH, PEAK = 10, 128, 0.01
TURN, SCALE, SHIFT = 0.3, 0.15, 0.15  # radians, of the size, of half the width


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
    """From pictures [N, 3, 32, 32] to logits [N, 10]."""
    model = nn.Sequential(
        conv(3, 32, size=4, stride=2),  # to 16 x 16
        nn.ReLU(),
        conv(32, 64, stride=2),  # to 8 x 8
        nn.ReLU(),
        Residual(64),
        conv(64, 128, stride=2),  # to 4 x 4
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(128, 10),
    )
    return model.to(memory_format=torch.channels_last)


def augmented(x: Tensor) -> Tensor:
    """Each picture mirrored or not, turned, scaled, shifted and recoloured, some with a blot."""
    count, side = len(x), x.shape[-1]
    angle = TURN * (2 * torch.rand(count) - 1)
    scale = 1 + SCALE * (2 * torch.rand(count) - 1)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    mirror = torch.randint(0, 2, (count,)) * 2.0 - 1
    shift = SHIFT * (2 * torch.rand(2, count) - 1)
    rows = torch.stack([cos * mirror, -sin, shift[0]], 1), torch.stack([sin, cos, shift[1]], 1)
    grid = affine_grid(torch.stack([rows[0], rows[1]], 1), list(x.shape), align_corners=False)
    x = grid_sample(x, grid, padding_mode="reflection", align_corners=False)
    # The colours say nothing of the class: each picture gets its own mixture of them.
    mixture = torch.eye(3) + 0.3 * torch.randn(count, 3, 3)
    x = torch.einsum("nchw,ndc->ndhw", x, mixture) + 0.2 * torch.randn(count, 3, 1, 1)
    places = torch.arange(side)
    top, left = torch.randint(-6, side - 6, (2, count, 1))
    in_rows = (places >= top) & (places < top + 12)
    in_columns = (places >= left) & (places < left + 12)
    blot = (in_rows[:, :, None] & in_columns[:, None, :])[:, None]
    return torch.where(blot & (torch.rand(count, 1, 1, 1) < 0.3), torch.randn(count, 3, 1, 1), x)


def train(x: Tensor, y: Tensor) -> nn.Module:
    model = network()
    steps = EPOCHS * (len(x) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, steps, pct_start=0.2)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.98), use_buffers=True
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
    x, x_test = (torch.tensor(file["image"]).permute(0, 3, 1, 2).float() for file in files)
    mean, std = x.mean((0, 2, 3), keepdim=True), x.std((0, 2, 3), keepdim=True)
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
