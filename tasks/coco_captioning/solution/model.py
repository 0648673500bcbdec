"""A network that looks at a picture in regions and tells it word by word."""

import torch
from torch import nn
from torch.nn import functional

REGION, WORD, STATE = 96, 64, 192


class Eyes(nn.Module):
    """Pictures [B, 3, H, W] as regions [B, R, REGION]; each knows where it is."""

    def __init__(self):
        super().__init__()

        def stage(inside, outside, stride):
            convolution = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
            return nn.Sequential(convolution, nn.BatchNorm2d(outside), nn.ReLU())

        self.stages = nn.Sequential(
            stage(5, 32, 2), stage(32, 64, 2), stage(64, 96, 2), stage(96, REGION, 1)
        )

    def forward(self, pictures):
        height, width = pictures.shape[2:]
        down, across = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
        places = torch.stack(torch.meshgrid(down, across, indexing="ij"))
        places = places.expand(len(pictures), -1, -1, -1)
        return self.stages(torch.cat([pictures, places], dim=1)).flatten(2).mT


class Teller(nn.Module):
    """A recurrent decoder that attends to regions before each word."""

    def __init__(self, vocabulary):
        super().__init__()
        self.words = nn.Embedding(vocabulary, WORD)
        self.begin = nn.Linear(REGION, STATE)
        self.keys = nn.Linear(REGION, 64)
        self.query = nn.Linear(STATE, 64)
        self.score = nn.Linear(64, 1)
        self.cell = nn.GRUCell(WORD + REGION, STATE)
        self.drop = nn.Dropout(0.3)
        self.out = nn.Linear(STATE + REGION, vocabulary)

    def start(self, regions):
        """The first state, and the regions' keys, to be given to every step."""
        return torch.tanh(self.begin(regions.mean(1))), self.keys(regions)

    def step(self, word, state, regions, keys):
        """Logits [B, vocabulary] of the word after `word` [B], and the next state."""
        match = self.score(torch.tanh(keys + self.query(state)[:, None]))
        seen = (match.softmax(dim=1) * regions).sum(1)
        state = self.cell(torch.cat([self.words(word), seen], dim=1), state)
        return self.out(self.drop(torch.cat([state, seen], dim=1))), state


def telling_loss(teller, regions, texts):
    """Cross-entropy a word of texts [B, T], padded by 0, each begun by its first word."""
    state, keys = teller.start(regions)
    steps = []
    for place in range(texts.shape[1] - 1):
        logits, state = teller.step(texts[:, place], state, regions, keys)
        steps.append(logits)
    logits = torch.stack(steps, dim=2)
    return functional.cross_entropy(logits, texts[:, 1:], ignore_index=0, label_smoothing=0.05)


def told(teller, regions, first, end, most):
    """The likeliest word after the other, [B, most], from the word `first` on to `end`."""
    state, keys = teller.start(regions)
    word = torch.full((len(regions),), first)
    found = []
    for _ in range(most):
        logits, state = teller.step(word, state, regions, keys)
        word = logits.argmax(dim=1)
        found.append(word)
    texts = torch.stack(found, dim=1)
    ended = (texts == end).cumsum(dim=1) > 0
    return texts.masked_fill(ended, 0)
