"""A sequence VAE of trees: recurrent encoder and decoder, and a critic of the drawn sketch."""

import math

import torch
from skeletons import LEVELS, SEEN
from torch import nn
from torch.nn import functional

LATENT, HIDDEN, PARTS = 16, 128, 5
RANKS = 8
SIDE, PEN = 20, 0.035  # a sketch's pixels, and how broad a line is


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.walk = nn.GRU(SEEN, 64, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * 64, 2 * LATENT)

    def forward(self, batch):
        """Mean and log-variance [B, LATENT] of where a tree is encoded."""
        states, _ = self.walk(batch.seen * batch.real[:, :, None])
        weight = batch.real[:, :, None].float()
        mean = (states * weight).sum(1) / weight.sum(1)
        return self.out(mean).chunk(2, dim=1)


class Decoder(nn.Module):
    """From a latent and the nodes so far: how far to climb, then what shoot grows there."""

    def __init__(self):
        super().__init__()
        self.begin = nn.Linear(LATENT, HIDDEN)
        self.walk = nn.GRU(SEEN + LATENT, HIDDEN, batch_first=True)
        self.climb = nn.Sequential(
            nn.Linear(HIDDEN + LATENT, 96), nn.ReLU(), nn.Linear(96, LEVELS + 1)
        )
        self.shoot = nn.Sequential(
            nn.Linear(2 * HIDDEN + LATENT + SEEN + RANKS, 128),
            nn.ReLU(),
            nn.Linear(128, 5 * PARTS),
        )

    def follow(self, latent, seen, state=None):
        """States [B, M, HIDDEN] after each of the nodes told; and the last, to go on from."""
        told = torch.cat([seen, latent[:, None].expand(-1, seen.shape[1], -1)], dim=2)
        if state is None:
            state = torch.tanh(self.begin(latent))[None]
        return self.walk(told, state)

    def climbs(self, latent, states):
        """Logits [B, M, LEVELS + 1] of the climb after each state."""
        return self.climb(torch.cat([states, spread(latent, states)], dim=2))

    def shoots(self, latent, states, there, seen, rank):
        """The mixture that a shoot is drawn from: log-weights, means, log-deviations.

        `there` are the states as they were after the parent, `seen` is what is known of it, `rank`
        how many children it has already.
        """
        born = functional.one_hot(rank.clamp(max=RANKS - 1), RANKS).float()
        told = torch.cat([states, there, spread(latent, states), seen, born], dim=2)
        out = self.shoot(told).unflatten(2, (PARTS, 5))
        return out[..., 0].log_softmax(-1), out[..., 1:3], out[..., 3:].clamp(-5, 2)


class Critic(nn.Module):
    """Convolutions that tell sketches of real trees from those of decoded ones."""

    def __init__(self):
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(1, 24, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(24, 48, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(48 * (SIDE // 4) ** 2, 1),
        )

    def forward(self, sketches):
        return self.look(sketches[:, None])[:, 0]


def spread(latent, states):
    return latent[:, None].expand(-1, states.shape[1], -1)


def mixture_loss(mixture, target):
    """Negative log-likelihood [B, M] of shoots [B, M, 2]."""
    weights, means, deviations = mixture
    off = (target[:, :, None] - means) * torch.exp(-deviations)
    parts = -0.5 * off**2 - deviations - 0.5 * math.log(2 * math.pi)
    return -torch.logsumexp(weights + parts.sum(-1), dim=-1)


def drawn(mixture, calm=1.0):
    """A shoot from each mixture [..., 2]; gradients reach means and deviations.

    `calm` is by how much deviations are scaled.
    """
    weights, means, deviations = mixture
    part = torch.distributions.Categorical(logits=weights).sample()[..., None, None]
    part = part.expand(*part.shape[:-1], 2)
    mean, deviation = means.gather(-2, part)[..., 0, :], deviations.gather(-2, part)[..., 0, :]
    return mean + calm * deviation.exp() * torch.randn_like(mean)


def placed(lengths, turns, ancestry):
    """Where the nodes of trees are, [B, M, 2], by each node's length and turn."""
    headings = (ancestry @ turns[:, :, None])[:, :, 0]
    steps = lengths[:, :, None] * torch.stack([headings.sin(), headings.cos()], dim=2)
    return ancestry @ steps


def sketched(nodes, parents, real):
    """Sketches [B, SIDE, SIDE] of trees, drawn with a soft pen through which gradients flow."""
    rows = (torch.arange(SIDE) + 0.5) / SIDE
    pixels = torch.stack(torch.meshgrid(2.4 * rows - 1.2, 1.3 * rows, indexing="xy"), dim=-1)
    start = nodes.gather(1, parents[:, :, None].expand(-1, -1, 2))[:, 1:, None]
    way = nodes[:, 1:, None] - start
    off = pixels.reshape(1, 1, -1, 2) - start
    along = (off * way).sum(-1) / (way**2).sum(-1).clamp(min=1e-6)
    apart = ((off - along.clamp(0, 1)[..., None] * way) ** 2).sum(-1)
    ink = torch.exp(-apart / (2 * PEN**2)) * real[:, 1:, None]
    return 1 - torch.prod(1 - 0.95 * ink, dim=1).reshape(-1, SIDE, SIDE)
