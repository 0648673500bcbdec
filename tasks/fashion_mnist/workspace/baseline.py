"""A small multilayer perceptron: reads data/, writes submission.csv."""

import os

import numpy as np
import pandas as pd
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", "0")))

train, test = np.load("data/train.npz"), np.load("data/test.npz")
x = torch.tensor(train["image"]).flatten(1) / 255  # [N, 784], grey levels from 0 to 1
y = torch.tensor(train["label"]).long()
x_test = torch.tensor(test["image"]).flatten(1) / 255

model = nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

for epoch in range(2):
    total = 0.0
    for batch in torch.randperm(len(x)).split(64):
        loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    print(f"epoch {epoch}: training loss {total / len(x):.3f}")

with torch.no_grad():
    predicted = model(x_test).argmax(1)

submission = pd.DataFrame({"id": test["id"], "label": predicted.numpy()})
submission.to_csv("submission.csv", index=False)
print(f"wrote {len(submission)} predictions to submission.csv")
