"""Prepares text as numbers of tokens: training documents, and windows of hidden documents.

`mini` is a sample of Wikipedia among the test data of a package, opened as an archive; its tokens
are learnt from the training documents. `full` is the beginning of a sample of FineWeb, in
the tokens of GPT-2. Documents are split as a whole, so that no window continues a training text.
"""

import gzip
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from bpe import Encoder, gpt2_tokens, learn
from wikitext import articles

DUMP = "gensim/test/test_data/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
FINEWEB = "HuggingFaceFW__fineweb__sample-10BT/train.jsonl.gz"
SHORTEST = 500  # characters of a document
HIDDEN = {"mini": 12, "full": 1000}  # documents in each of the hidden parts
VOCABULARY = 1024  # tokens that are learnt, the end of a text among them
WINDOWS, CONTEXT = 128, 256


def prepare(profile: str, data_seed: int, public: Path, private: Path) -> None:
    sources = Path(os.environ["MLGYM_SOURCES"])
    documents = list(wikipedia(sources) if profile == "mini" else fineweb(sources))
    documents = [text for text in dict.fromkeys(documents) if len(text) >= SHORTEST]
    order = np.random.default_rng([data_seed, len(documents)]).permutation(len(documents))
    count = HIDDEN[profile]
    parts = {
        "validation": [documents[at] for at in order[:count]],
        "test": [documents[at] for at in order[count : 2 * count]],
        "train": [documents[at] for at in sorted(order[2 * count :])],
    }
    if profile == "mini":
        tokens = learn(parts["train"], VOCABULARY - 1)
    else:
        tokens = gpt2_tokens((sources / "vocab.bpe").read_text("utf-8").splitlines())
    encoder, end = Encoder(tokens), len(tokens)
    numbers = {part: encoded(texts, encoder, end) for part, texts in parts.items()}
    named = [token.decode("latin-1") for token in tokens]
    (public / "tokenizer.json").write_text(json.dumps({"tokens": named, "end_of_text": end}))
    np.save(public / "train.npy", numbers["train"])
    lengths = np.array([*map(len, tokens), 0])
    for part in ("validation", "test"):
        windows = spread(numbers[part])
        np.save(private / f"{part}.npy", windows)
        facts = {"vocabulary": end + 1, "bytes": int(lengths[windows[:, 1:]].sum())}
        (private / f"{part}.json").write_text(json.dumps(facts))


def encoded(texts: list[str], encoder: Encoder, end: int) -> np.ndarray:
    """The tokens of all texts, uint16 [n], each text followed by its end."""
    return np.array(
        [number for text in texts for number in (*encoder.encode(text), end)], dtype=np.uint16
    )


def spread(numbers: np.ndarray) -> np.ndarray:
    """Windows of CONTEXT tokens and one to predict, [WINDOWS, CONTEXT + 1], evenly spread."""
    starts = np.linspace(0, len(numbers) - CONTEXT - 1, WINDOWS).astype(int)
    return numbers[starts[:, None] + np.arange(CONTEXT + 1)]


def wikipedia(sources: Path) -> Iterator[str]:
    (wheel,) = sources.glob("gensim-*.whl")
    with zipfile.ZipFile(wheel) as archive, archive.open(DUMP) as dump:
        yield from articles(dump)


def fineweb(sources: Path) -> Iterator[str]:
    with gzip.open(sources / FINEWEB, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["text"]
