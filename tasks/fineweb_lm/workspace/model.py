"""The language model that is graded: a small GPT, and how it is loaded.

The referee calls `load("/workspace/weights")` once, then `logits` for one batch after the other.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

WIDTH, LAYERS, HEADS, CONTEXT = 128, 4, 4, 256


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.before_attention, self.before_mlp = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )

    def forward(self, x):
        b, t, _ = x.shape
        qkv = self.qkv(self.before_attention(x)).view(b, t, 3, HEADS, WIDTH // HEADS)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(b, t, WIDTH))
        return x + self.mlp(self.before_mlp(x))


class GPT(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.token = nn.Embedding(vocabulary, WIDTH)
        self.place = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, vocabulary, bias=False)
        for weight in self.parameters():
            if weight.ndim == 2:
                nn.init.normal_(weight, std=0.02)

    def forward(self, tokens):
        """Logits [B, T, V] for the token after each of the tokens [B, T]; T <= CONTEXT."""
        x = self.token(tokens) + self.place(torch.arange(tokens.shape[1]))
        return self.head(self.norm(self.blocks(x)))

    @torch.no_grad()
    def logits(self, tokens: np.ndarray) -> np.ndarray:
        """What the referee asks for: int64 [B, T] in, float32 [B, T, V] out."""
        return self(torch.from_numpy(tokens)).numpy()


def load(folder: str) -> GPT:
    state = torch.load(Path(folder) / "model.pt", weights_only=True)
    model = GPT(len(state["token.weight"]))
    model.load_state_dict(state)
    return model.eval()
