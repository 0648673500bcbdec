"""The smallest valid submission: finds all tokens equally likely, and has no use for weights."""

import json
from pathlib import Path

import numpy as np


class Uniform:
    def __init__(self, vocabulary):
        self.vocabulary = vocabulary

    def logits(self, tokens):
        return np.zeros((*tokens.shape, self.vocabulary), dtype=np.float32)


def load(folder):
    return Uniform(json.loads((Path(folder) / "vocabulary.json").read_text()))
