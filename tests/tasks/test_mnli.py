"""Natural-language inference: what its pairs give away, what gains nothing, what is refused."""

from __future__ import annotations

import csv
import gzip
import importlib
import json
import random
import shutil
import sys
from pathlib import Path

import pytest
from data_scripts import run_beside

from mlgym.sandbox.images import build_environment, load_image
from mlgym.task import data
from mlgym.task.spec import find_task

TASK = find_task("mnli")
BASELINE = TASK.spec.profiles["mini"].baseline["accuracy"]
TARGET = TASK.spec.profiles["mini"].target["accuracy"]
GAIN = BASELINE + 0.1 * (TARGET - BASELINE)
"""The accuracy above which a cheat has gained something."""


@pytest.fixture(scope="module")
def python() -> Path:
    return build_environment(load_image(TASK.spec.image), print) / "bin" / "python"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


# What the pairs give away ----------------------------------------------------------------------

ONE_SENTENCE = """\
import data
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

pairs = data.write_pairs(3000, 1)
labels = [label for *_, label in pairs]
print(max(labels.count(label) for label in data.LABELS) / len(pairs), len(set(pairs)))
for side in (0, 1):
    words = CountVectorizer(token_pattern=r"\\S+", ngram_range=(1, 2))
    x = words.fit_transform([pair[side] for pair in pairs])
    model = LogisticRegression(C=0.1, max_iter=200).fit(x[:2000], labels[:2000])
    print(model.score(x[2000:], labels[2000:]))
"""


def test_neither_sentence_alone_tells_the_label(python):
    """Bags of single words and of neighbours; 1,000 pairs have a standard error of 1.5 points."""
    counts, premise, hypothesis = run_beside(TASK, python, ONE_SENTENCE).splitlines()
    share, distinct = counts.split()
    assert float(share) < 0.38
    assert int(distinct) == 3000
    assert float(premise) < 0.4
    assert float(hypothesis) < 0.4


def test_no_pair_to_predict_is_a_training_pair(python):
    prepared = data.prepare(TASK, "mini", 0, python)
    train, test = rows(prepared.public / "train.csv"), rows(prepared.public / "test.csv")
    pairs = [[(row["premise"], row["hypothesis"]) for row in part] for part in (train, test)]
    assert [len(part) for part in pairs] == [9000, 4000]
    assert len({*pairs[0], *pairs[1]}) == 13000
    assert "label" not in test[0]
    known = {word for pair in pairs[0] for text in pair for word in text.split()}
    assert {word for pair in pairs[1] for text in pair for word in text.split()} <= known


FULL = "import data, pathlib\ndata.prepare('full', 0, *map(pathlib.Path, sys.argv[1:]))"


def test_full_reads_rows_of_the_hubs_shape(python, tmp_path):
    """Made here: a pair without a label, and one that is a training pair and hidden too."""
    folder = tmp_path / "sources" / "nyu-mll__glue__mnli"
    folder.mkdir(parents=True)
    for name, count in (("train", 30), ("validation_matched", 20)):
        found = [
            {"premise": f"{name} {i},\n said", "hypothesis": f'"{i}"', "label": i % 3, "idx": i}
            for i in range(count)
        ]
        found += [{"premise": "both", "hypothesis": "here", "label": 1, "idx": count}]
        found += [{"premise": "nobody", "hypothesis": "agreed", "label": -1, "idx": count + 1}]
        with gzip.open(folder / f"{name}.jsonl.gz", "wt") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in found)
    public, private = tmp_path / "public", tmp_path / "private"
    public.mkdir()
    private.mkdir()
    run_beside(TASK, python, FULL, public, private, MLGYM_SOURCES=str(folder.parent))
    train, test = rows(public / "train.csv"), rows(public / "test.csv")
    assert len(train) == 30
    assert len(test) == 21
    assert train[0] == {"premise": "train 0, said", "hypothesis": '"0"', "label": "entailment"}
    parts = [rows(private / f"{part}.csv") for part in ("validation", "test")]
    assert sorted(row["id"] for part in parts for row in part) == sorted(r["id"] for r in test)
    assert [len(part) for part in parts] == [10, 11]


# What the grader takes -------------------------------------------------------------------------

TRUTH = {
    "validation": {"1": "neutral", "3": "entailment"},
    "test": {"2": "contradiction", "4": "neutral", "5": "entailment"},
}
GOOD = "id,label\n1,neutral\n2,contradiction\n3,entailment\n4,neutral\n5,entailment\n"


@pytest.fixture
def grade(tmp_path, monkeypatch):
    """The grader as the grading sandbox sees it: beside it the kit, under the kit's names."""
    folder = tmp_path / "grader"
    folder.mkdir()
    for kit in Path(data.__file__).parent.glob("kit*.py"):
        shutil.copy(kit, folder / f"mlgym_{kit.name}")
    shutil.copy(TASK.folder / "grader" / "grade.py", folder / "mnli_grade.py")
    monkeypatch.syspath_prepend(folder)
    module = importlib.import_module("mnli_grade")
    made = tmp_path / "answers"
    made.mkdir()
    for part, labels in TRUTH.items():
        lines = ["id,label", *(f"{name},{label}" for name, label in labels.items())]
        (made / f"{part}.csv").write_text("\n".join(lines))

    def grade(text: str, split: str = "test", answers: Path = made) -> float:
        (tmp_path / "submission.csv").write_text(text)
        return module.grade(tmp_path, answers, split, random.Random(0))["accuracy"]

    yield grade
    for name in ("mlgym_kit", "mlgym_kit_csv", "mnli_grade"):
        sys.modules.pop(name, None)


def test_the_score_is_the_percentage_of_right_labels_of_its_own_part(grade):
    assert grade(GOOD) == 100
    spoiled = GOOD.replace("2,contradiction", "2,neutral")
    assert grade(spoiled) == pytest.approx(200 / 3)
    assert grade(spoiled, "validation") == 100


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("id,label", "id,answer"), "line 1: found header 'id,answer', expected id,l"),
        (GOOD.replace("5,entailment", "5,2"), "line 6, column label: found '2', expected one of e"),
        (GOOD.replace("4,neutral", "4,Neutral"), "line 5, column label: found 'Neutral'"),
        (GOOD.replace("4,neutral", "4,"), "line 5, column label: found '', expected one of"),
        (GOOD.replace("4,neutral", "4,neutral,1"), "line 5: found 3 columns, expected 2"),
        (GOOD.replace("4,neutral", "3,neutral"), "column id: '3' was given before, on line 4"),
        (GOOD.replace("4,neutral", "9,neutral"), "line 5, column id: '9' is not to predict"),
        (GOOD.replace("4,neutral\n", ""), "has 4 rows, expected 5: id 4 is missing"),
    ],
)
def test_a_defect_is_answered_with_its_place(grade, text, said):
    refused = importlib.import_module("mlgym_kit").SubmissionError
    with pytest.raises(refused) as caught:
        grade(text)
    assert str(caught.value).startswith("submission.csv: ")
    assert said in str(caught.value)


# Looking up what is known of each sentence: its label in training, else the commonest one of the
# training pair that shares most words with it.
LOOK_UP = """\
import csv, collections

def read(name):
    return list(csv.DictReader(open(f"{sys.argv[1]}/{name}.csv", newline="")))

known = {side: collections.defaultdict(list) for side in ("premise", "hypothesis")}
train, test = read("train"), read("test")
for row in train:
    for side in known:
        known[side][row[side]].append(row["label"])
        known[side][frozenset(row[side].split())].append(row["label"])
for side in known:
    print("id,label")
    for row in test:
        seen = known[side].get(row[side]) or known[side].get(frozenset(row[side].split()))
        print(f"{row['id']},{collections.Counter(seen or ['neutral']).most_common(1)[0][0]}")
"""


def test_looking_up_training_sentences_and_guessing_from_one_gain_nothing(python, grade):
    prepared = data.prepare(TASK, "mini", 0, python)
    for text in run_beside(TASK, python, LOOK_UP, prepared.public).split("id,label\n")[1:]:
        assert grade(f"id,label\n{text}", answers=prepared.private) < GAIN


@pytest.mark.parametrize("label", ["entailment", "neutral", "contradiction"])
def test_one_label_for_all_gains_nothing(python, grade, label):
    prepared = data.prepare(TASK, "mini", 0, python)
    ids = [row["id"] for row in rows(prepared.public / "test.csv")]
    text = "id,label\n" + "".join(f"{name},{label}\n" for name in ids)
    assert grade(text, answers=prepared.private) < min(GAIN, 37)


def test_a_rule_on_negations_and_shared_words_gains_nothing(python, grade):
    """Crowd-written data gives such rules away: negations contradict, shared words entail."""
    prepared = data.prepare(TASK, "mini", 0, python)
    lines = []
    for row in rows(prepared.public / "test.csv"):
        premise, hypothesis = (set(row[side].split()) for side in ("premise", "hypothesis"))
        label = "entailment" if len(hypothesis - premise) <= 2 else "neutral"
        if {"no", "not"} & hypothesis:
            label = "contradiction"
        lines.append(f"{row['id']},{label}\n")
    assert grade("id,label\n" + "".join(lines), answers=prepared.private) < GAIN
