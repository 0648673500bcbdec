"""The language model's data: text out of markup, tokens out of text, and what stays hidden."""

from __future__ import annotations

import gzip
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from data_scripts import run_beside

from mlgym.sandbox.images import build_environment, load_image
from mlgym.task import data
from mlgym.task.spec import find_task

TASK = find_task("fineweb_lm")


@pytest.fixture(scope="module")
def python() -> Path:
    return build_environment(load_image(TASK.spec.image), print) / "bin" / "python"


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, ModuleType]]:
    """The data script's own modules, which need the standard library alone."""
    sys.path.insert(0, str(TASK.folder))
    names = ("bpe", "wikitext")
    yield {name: importlib.import_module(name) for name in names}
    sys.path.remove(str(TASK.folder))
    for name in names:
        sys.modules.pop(name)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("'''Ada''' is a [[programming language|language]].", "Ada is a language."),
        ("{{Infobox|name={{lang|en|x}}|a=[[b]]}}\nText", "Text"),
        ("One<ref name=a>two [[three]]</ref>, four<ref name=a/>.", "One, four."),
        ("[[File:a.png|thumb|A [[cat]] sits]] Text [[de:Katze]]", "Text"),
        ("{| class=x\n|-\n| a || {{b}}\n|}\nText", "Text"),
        ("== Life ==\n* one\n# [http://a.org two]\n== References ==\nthree", "Life\none\ntwo"),
        ("a &amp; b&nbsp;c <!-- d\n -->e <br /> f", "a & b c e  f"),
    ],
)
def test_text_is_what_a_reader_sees_of_an_article(modules, markup, text):
    assert modules["wikitext"].plain(markup) == text


def test_tokens_are_the_most_frequent_pairs_of_bytes(modules):
    bpe = modules["bpe"]
    tokens = bpe.learn(["low lower lowest, low; the slow", "low"], 260)
    assert tokens[:256] == [bytes([byte]) for byte in range(256)]
    assert tokens[256:258] == [b"ow", b"low"]
    assert len(tokens) == 260


@pytest.mark.parametrize("text", ["", "low  lower\n\n\tslow", "žluťoučký 2nd's __x__", "\u2028🙂"])
def test_tokens_put_together_are_the_text(modules, text):
    bpe = modules["bpe"]
    tokens = bpe.learn(["low lower lowest", "žluť"], 262)
    numbers = bpe.Encoder(tokens).encode(text)
    assert b"".join(tokens[number] for number in numbers).decode() == text


def test_gpt2s_tokens_are_numbered_as_gpt2_numbers_them(modules):
    bpe = modules["bpe"]
    tokens = bpe.gpt2_tokens(["#version: 0.2", "Ġ t", "Ġ a", "h e", "i n", "r e", ""])
    assert [tokens.index(token) for token in (b"!", b"A", b"a", b" ", b"\n")] == [
        0,
        32,
        64,
        220,
        198,
    ]
    assert tokens[256:] == [b" t", b" a", b"he", b"in", b"re"]
    assert bpe.Encoder(tokens).encode(" the") == [256, 258]


def test_the_pair_with_the_lowest_number_is_merged_first(modules):
    tokens = [bytes([byte]) for byte in range(256)] + [b"bc", b"ab"]
    assert modules["bpe"].Encoder(tokens).encode("abc") == [ord("a"), 256]


def decoded(numbers: np.ndarray, tokens: list[str]) -> str:
    text = "".join(tokens[number] for number in numbers)
    return text.encode("latin-1").decode("utf-8", "replace")


def test_mini_hides_whole_documents(python):
    prepared = data.prepare(TASK, "mini", 0, python)
    described = json.loads((prepared.public / "tokenizer.json").read_text())
    tokens = [*described["tokens"], "\n<end>\n"]
    assert len(tokens) == 1024
    assert described["end_of_text"] == 1023
    train = np.load(prepared.public / "train.npy")
    assert train.dtype == np.uint16
    assert 800_000 < len(train) < 1_000_000
    assert (train == 1023).sum() == 80
    text = decoded(train, tokens)
    for part in ("validation", "test"):
        windows = np.load(prepared.private / f"{part}.npy")
        facts = json.loads((prepared.private / f"{part}.json").read_text())
        assert windows.shape == (128, 257)
        length = sum(len(tokens[n]) for n in windows[:, 1:].ravel() if n != 1023)
        assert facts == {"vocabulary": 1024, "bytes": length}
        found = [decoded(window[20:90], tokens).strip("\ufffd") in text for window in windows]
        assert sum(found) <= 1


def test_another_data_seed_hides_other_documents_and_learns_other_tokens(python):
    first, other = (data.prepare(TASK, "mini", seed, python) for seed in (0, 1))
    for name in ("public/tokenizer.json", "public/train.npy", "private/test.npy"):
        folder, file = name.split("/")
        both = [getattr(prepared, folder) / file for prepared in (first, other)]
        assert both[0].read_bytes() != both[1].read_bytes()


FULL = """\
import data, pathlib
data.HIDDEN["full"] = 5
data.prepare("full", 0, *map(pathlib.Path, sys.argv[1:]))
"""


def test_full_reads_rows_of_the_hubs_shape_in_gpt2s_tokens(python, tmp_path):
    """Made here: a few merges, few rows, a short one and a double one among them."""
    folder = tmp_path / "sources" / "HuggingFaceFW__fineweb__sample-10BT"
    folder.mkdir(parents=True)
    texts = [f"{number} " * 300 for number in range(20)]
    with gzip.open(folder / "train.jsonl.gz", "wt") as stream:
        for text in [*texts, texts[0], "short"]:
            stream.write(json.dumps({"text": text, "id": "x", "url": "y"}) + "\n")
    (folder.parent / "vocab.bpe").write_text("#version: 0.2\nĠ t\nĠ 1\n", encoding="utf-8")
    public, private = tmp_path / "public", tmp_path / "private"
    public.mkdir()
    private.mkdir()
    run_beside(TASK, python, FULL, public, private, MLGYM_SOURCES=str(folder.parent))
    train = np.load(public / "train.npy")
    assert (train == 258).sum() == 10
    assert json.loads((public / "tokenizer.json").read_text())["end_of_text"] == 258
    shown = decoded(train, [*json.loads((public / "tokenizer.json").read_text())["tokens"], "\0"])
    kept = set(shown.split("\0")) - {""}
    assert kept < set(texts)
    assert np.load(private / "test.npy").shape == (128, 257)
