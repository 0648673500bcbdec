"""The one architecture of all checkpoints: three convolutions and a linear head, 34,186 numbers."""

import torch
from torch import nn

LAYERS = ("conv1", "conv2", "conv3", "head")


class Network(nn.Module):
    """Images [N, 1, 28, 28] to the scores of the ten classes [N, 10]."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5, stride=2, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(32, 64, 3, stride=2, padding=1)
        self.head = nn.Linear(64 * 4 * 4, 10)

    def forward(self, images):
        for layer in (self.conv1, self.conv2, self.conv3):
            images = torch.relu(layer(images))
        return self.head(images.flatten(1))


def as_inputs(images):
    """Pixels as an array of uint8 [N, 28, 28] to what the network takes."""
    return torch.from_numpy(images).float().div(255).sub(0.4).unsqueeze(1)
