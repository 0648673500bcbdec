"""Trains the GPT of model.py on data/train.npy and writes weights/model.pt."""

import json
import os
from pathlib import Path

import numpy as np
import torch
from model import CONTEXT, GPT
from torch.nn import functional

SEED = int(os.environ.get("SEED", "0"))
STEPS, BATCH, LEARNING_RATE = 100, 8, 1e-3

torch.manual_seed(SEED)
tokens = torch.from_numpy(np.load("data/train.npy").astype(np.int64))
end_of_text = json.loads(Path("data/tokenizer.json").read_text())["end_of_text"]
model = GPT(end_of_text + 1)  # the end of a text has the last number
optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)

for step in range(1, STEPS + 1):
    starts = torch.randint(len(tokens) - CONTEXT, (BATCH, 1))
    window = tokens[starts + torch.arange(CONTEXT + 1)]
    loss = functional.cross_entropy(model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(f"step {step}: training loss {loss.item():.3f}", flush=True)

Path("weights").mkdir(exist_ok=True)
torch.save(model.state_dict(), "weights/model.pt")
print("wrote weights/model.pt")
