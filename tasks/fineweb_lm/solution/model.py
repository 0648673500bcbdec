"""A small transformer as they are built today: rotary positions, normed queries and keys, relu
squared, one table of tokens for both ends.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

WIDTH, LAYERS, HEADS, CONTEXT = 128, 4, 4, 256
SIZE = WIDTH // HEADS


def norm(x):
    return functional.rms_norm(x, (x.shape[-1],))


def rotate(x, cos, sin):
    """Turn each pair of features of [B, H, T, SIZE] by an angle that grows with the place."""
    one, other = x.chunk(2, dim=-1)
    return torch.cat([one * cos - other * sin, one * sin + other * cos], dim=-1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.out = (nn.Linear(WIDTH, n * WIDTH, bias=False) for n in (3, 1))
        self.up = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.down = nn.Linear(4 * WIDTH, WIDTH, bias=False)
        # What a block adds is nothing at first.
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.down.weight)

    def forward(self, x, cos, sin):
        b, t, _ = x.shape
        q, k, v = self.qkv(norm(x)).view(b, t, 3, HEADS, SIZE).permute(2, 0, 3, 1, 4)
        q, k = rotate(norm(q), cos, sin), rotate(norm(k), cos, sin)
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(b, t, WIDTH))
        return x + self.down(functional.relu(self.up(norm(x))).square())


class LanguageModel(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.token = nn.Embedding(vocabulary, WIDTH)
        nn.init.normal_(self.token.weight, std=0.02)
        self.scale = nn.Parameter(torch.ones(()))
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        angles = torch.arange(CONTEXT)[:, None] * 1000.0 ** -torch.linspace(0, 1, SIZE // 2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, tokens):
        """Logits [B, T, V] for the token after each of the tokens [B, T]; T <= CONTEXT."""
        cos, sin = (table[: tokens.shape[1]] for table in (self.cos, self.sin))
        x = norm(self.token(tokens))
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.scale * (norm(x) @ self.token.weight.T)

    @torch.no_grad()
    def logits(self, tokens: np.ndarray) -> np.ndarray:
        return self(torch.from_numpy(tokens)).numpy()


def load(folder: str) -> LanguageModel:
    state = torch.load(Path(folder) / "model.pt", weights_only=True)
    model = LanguageModel(len(state["token.weight"]))
    model.load_state_dict(state)
    return model.eval()
