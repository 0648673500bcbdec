"""A small convolutional network: reads data/, writes submission.csv."""

import os

import numpy as np
import pandas as pd
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", "0")))

train, test = np.load("data/train.npz"), np.load("data/test.npz")
x = torch.tensor(train["image"]).permute(0, 3, 1, 2) / 127.5 - 1  # [N, 3, 32, 32], from -1 to 1
y = torch.tensor(train["label"]).long()
x_test = torch.tensor(test["image"]).permute(0, 3, 1, 2) / 127.5 - 1

model = nn.Sequential(
    nn.Conv2d(3, 16, 5),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 5),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(32 * 5 * 5, 64),
    nn.ReLU(),
    nn.Linear(64, 10),
)
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

for epoch in range(2):
    total = 0.0
    for batch in torch.randperm(len(x)).split(64):
        loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    print(f"epoch {epoch}: training loss {total / len(x):.3f}", flush=True)

with torch.no_grad():
    predicted = torch.cat([model(part).argmax(1) for part in x_test.split(1000)])

submission = pd.DataFrame({"id": test["id"], "label": predicted.numpy()})
submission.to_csv("submission.csv", index=False)
print(f"wrote {len(submission)} predictions to submission.csv")
