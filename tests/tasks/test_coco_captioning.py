"""Captions: what scenes and photographs are made into, what BLEU counts, what gains nothing.

Composed and graded are fewer scenes than `mini` has.
"""

from __future__ import annotations

import csv
import importlib
import importlib.util
import io
import json
import random
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import preparing
import pytest

from mlgym.sandbox.images import build_environment, load_image
from mlgym.task import data
from mlgym.task.spec import find_task, load_task

TASK = find_task("coco_captioning")
MINI = TASK.spec.profiles["mini"]
# What gains no more than a tenth of the way from the baseline to the target.
WORTHLESS = 0.9 * MINI.baseline["bleu4"] + 0.1 * MINI.target["bleu4"]
RELATIONS = ("above", "left of", "inside", "behind", "below", "right of", "around", "before")
Rows = list[dict[str, str]]
Grade = Callable[..., dict[str, float]]


@pytest.fixture(scope="module")
def python() -> Path:
    return build_environment(load_image(TASK.spec.image), print) / "bin" / "python"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks") / "coco_captioning"
    shutil.copytree(TASK.folder, folder)
    preparing.rewrite(folder, "data.py", '"train": 4000', '"train": 600')
    fewer = '"validation": 200, "test": 200'
    preparing.rewrite(folder, "data.py", '"validation": 800, "test": 800', fewer)
    return folder


@pytest.fixture(scope="module")
def prepared(folder: Path, python: Path) -> data.Prepared:
    return data.prepare(load_task(folder), "mini", 0, python)


@pytest.fixture(scope="module")
def grader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, ModuleType]]:
    """The grader as the grading sandbox sees it: beside it the kit, under the kit's names."""
    folder = tmp_path_factory.mktemp("grader")
    for kit in Path(data.__file__).parent.glob("kit*.py"):
        shutil.copy(kit, folder / f"mlgym_{kit.name}")
    for name in ("grade", "bleu"):
        shutil.copy(TASK.folder / "grader" / f"{name}.py", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder, importlib.import_module("grade")
    for name in ("grade", "bleu", "mlgym_kit", "mlgym_kit_csv"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def grade(grader: tuple[Path, ModuleType], prepared: data.Prepared) -> Grade:
    folder, module = grader

    def grade(captions: dict[str, str] | str, split: str = "test") -> dict[str, float]:
        text = captions if isinstance(captions, str) else written(captions)
        (folder / "submission.csv").write_text(text)
        return module.grade(folder, prepared.private, split, random.Random(0))

    return grade


def written(captions: dict[str, str]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([("id", "caption"), *captions.items()])
    return out.getvalue()


def rows(path: Path) -> Rows:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def hidden(prepared: data.Prepared) -> dict[str, Rows]:
    return {part: rows(prepared.private / f"{part}.csv") for part in ("validation", "test")}


def references(row: dict[str, str]) -> list[str]:
    return [text for name, text in row.items() if name.startswith("caption")]


def triple(texts: list[str]) -> tuple[str, str, str]:
    """The two objects and their relation, the first four relations only, from some caption."""
    for text in texts:
        for relation in RELATIONS[:4]:
            before, found, after = text.partition(f" {relation} ")
            if found:
                end = next((cut for cut in (" on ", " in ", " at ") if cut in after), None)
                other = after.split(end)[0] if end else after
                return before.split()[-1], relation, other.split()[-1]
    raise AssertionError(texts)


# Data -----------------------------------------------------------------------------------------


def test_each_picture_has_five_different_captions(prepared: data.Prepared) -> None:
    told = Counter(row["id"] for row in rows(prepared.public / "train.csv"))
    with np.load(prepared.public / "train.npz") as file:
        assert file["images"].shape == (600, 48, 48, 3)
        assert [str(number) for number in file["id"]] == list(told)
    assert set(told.values()) == {5}
    for part in hidden(prepared).values():
        assert all(len(set(references(row))) == 5 for row in part)


def test_half_of_the_hidden_scenes_show_what_no_training_scene_shows(
    prepared: data.Prepared,
) -> None:
    known: dict[str, list[str]] = {}
    for row in rows(prepared.public / "train.csv"):
        known.setdefault(row["id"], []).append(row["caption"])
    seen = {triple(texts) for texts in known.values()}
    for part in hidden(prepared).values():
        new = {triple(references(row)) for row in part if row["new"] == "1"}
        assert sum(row["new"] == "1" for row in part) == len(part) / 2
        assert not new & seen


def test_no_hidden_picture_is_a_training_picture(prepared: data.Prepared) -> None:
    with (
        np.load(prepared.public / "train.npz") as train,
        np.load(prepared.public / "test.npz") as test,
    ):
        known = {image.tobytes() for image in train["images"]}
        asked = {image.tobytes() for image in test["images"]}
        ids = [str(number) for number in test["id"]]
    assert len(asked - known) == 400
    parts = [{row["id"] for row in part} for part in hidden(prepared).values()]
    assert sorted(parts[0] | parts[1]) == sorted(ids)
    assert not parts[0] & parts[1]
    assert ids == [row["id"] for row in rows(prepared.public / "sample_submission.csv")]


def test_full_reads_archives_of_cocos_shape(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made here: grey pictures, more captions than five, each in two lines."""
    monkeypatch.setenv("MLGYM_HOME", str(tmp_path))
    manual = tmp_path / "manual" / "coco_captioning"
    manual.mkdir(parents=True)
    # Pillow is in the task's image only.
    draw = (
        "import sys; from PIL import Image; Image.new('RGB', (160, 120), 'gray').save(sys.argv[1])"
    )
    subprocess.run([python, "-c", draw, tmp_path / "grey.jpg"], check=True)
    notes: dict[str, list[dict[str, object]]] = {"train2017": [], "val2017": []}
    for split, count in (("train2017", 6), ("val2017", 4)):
        with zipfile.ZipFile(manual / f"{split}.zip", "w") as archive:
            for number in range(10, 10 + count):
                archive.write(tmp_path / "grey.jpg", f"{split}/{number:012d}.jpg")
                for each in reversed(range(6)):
                    told = {"id": 100 * number + each, "caption": f"A cat,\n{each}. "}
                    notes[split].append({"image_id": number, **told})
    with zipfile.ZipFile(manual / "annotations_trainval2017.zip", "w") as archive:
        for split, told in notes.items():
            archive.writestr(
                f"annotations/captions_{split}.json", json.dumps({"annotations": told})
            )
    full = data.prepare(TASK, "full", 0, python)
    with np.load(full.public / "test.npz") as test:
        assert test["images"].shape == (4, 112, 112, 3)
    assert len(rows(full.public / "train.csv")) == 6 * 5
    for part in hidden(full).values():
        assert [references(row) for row in part] == [[f"A cat, {n}." for n in range(5)]] * 2


# Scores ---------------------------------------------------------------------------------------


def test_bleu_counts_as_it_was_defined(grader: tuple[Path, ModuleType]) -> None:
    bleu = importlib.import_module("bleu")
    cat = [bleu.words(text) for text in ("The cat is on the mat.", "There is a cat on the mat.")]
    assert bleu.corpus_bleu([cat[0]], [cat]) == 1
    # Clipped: "the" stands at most twice in a reference; and no pair of words is there.
    assert bleu.corpus_bleu([["the"] * 6], [cat]) == 0
    # 6/6, 4/5, 3/4, 2/3 of the n-grams; the reference nearest in length has 6 words.
    found = bleu.corpus_bleu([bleu.words("a cat on the mat is")], [cat])
    assert found == pytest.approx((1 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25)
    # Short: 4 words for 6, all of them right.
    assert bleu.corpus_bleu([cat[0][:4]], [cat]) == pytest.approx(np.exp(1 - 6 / 4))
    # Over a corpus counts are added up before they are divided: a hopeless caption is no zero.
    both = bleu.corpus_bleu([cat[0], ["dogs", "bark"]], [cat, [["birds", "sing"]]])
    assert both == pytest.approx((6 / 8 * 5 / 6 * 1 * 1) ** 0.25)


def test_a_reference_for_each_picture_scores_one(grade: Grade, prepared: data.Prepared) -> None:
    parts = hidden(prepared)
    told = {row["id"]: row["caption_2"] for part in parts.values() for row in part}
    assert grade(told) == {"bleu4": 1.0, "bleu4_new": 1.0}
    shouted = {name: f" {text.upper()}! " for name, text in told.items()}
    assert grade(shouted, "validation") == {"bleu4": 1.0, "bleu4_new": 1.0}


def test_each_split_is_scored_by_its_own_captions(grade: Grade, prepared: data.Prepared) -> None:
    parts = hidden(prepared)
    told = {row["id"]: row["caption_2"] for part in parts.values() for row in part}
    told |= {row["id"]: "nothing at all" for row in parts["validation"]}
    assert grade(told)["bleu4"] == 1
    assert grade(told, "validation")["bleu4"] == 0


# Cheats ---------------------------------------------------------------------------------------


def test_no_constant_caption_gains_anything(grade: Grade, prepared: data.Prepared) -> None:
    """The best of many on the hidden captions themselves: better than any that could be found."""
    parts = hidden(prepared)
    ids = [row["id"] for part in parts.values() for row in part]
    texts = [row["caption"] for row in rows(prepared.public / "train.csv")]
    crafted = ["red ball left of blue box", "on grass red ball above blue box on grass red ball"]
    chosen = [*random.Random(0).sample(texts, 15), *crafted]
    assert max(grade(dict.fromkeys(ids, text))["bleu4"] for text in chosen) < WORTHLESS


def test_copied_training_captions_gain_nothing(grade: Grade, prepared: data.Prepared) -> None:
    texts = [row["caption"] for row in rows(prepared.public / "train.csv")]
    ids = [row["id"] for part in hidden(prepared).values() for row in part]
    told = dict(zip(ids, random.Random(0).sample(texts, len(ids)), strict=True))
    assert grade(told)["bleu4"] < WORTHLESS


def test_all_words_in_one_caption_gain_nothing(grade: Grade, prepared: data.Prepared) -> None:
    texts = [row["caption"] for row in rows(prepared.public / "train.csv")]
    common = [word for word, _ in Counter(" ".join(texts).split()).most_common(50)]
    ids = [row["id"] for part in hidden(prepared).values() for row in part]
    assert grade(dict.fromkeys(ids, " ".join(common)))["bleu4"] < WORTHLESS


def test_a_score_that_a_submission_reports_is_not_read(
    grade: Grade, prepared: data.Prepared
) -> None:
    ids = [row["id"] for part in hidden(prepared).values() for row in part]
    told = dict.fromkeys(ids, "bleu4 1.0")
    assert grade(told)["bleu4"] == 0
    assert "found 3 columns" in refusal(grade, written(told).replace("bleu4 1.0", "a box,1.0"))
    assert "'bleu4' is not to predict" in refusal(grade, written({**told, "bleu4": "1.0"}))


# Defects --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("", "line 3, column caption: found '', expected a caption of 1 to 50 words"),
        ("?!", "line 3, column caption: found '?!'"),
        ("box " * 51, "expected a caption of 1 to 50 words"),
        ("x" * 1001, "expected a caption of 1 to 50 words"),
    ],
)
def test_what_is_no_caption_is_refused_with_its_place(
    grade: Grade, prepared: data.Prepared, cell: str, said: str
) -> None:
    ids = [row["id"] for part in hidden(prepared).values() for row in part]
    assert said in refusal(grade, written({**dict.fromkeys(ids, "a box"), ids[1]: cell}))


def test_missing_repeated_and_unknown_ids_are_refused(
    grade: Grade, prepared: data.Prepared
) -> None:
    ids = [row["id"] for part in hidden(prepared).values() for row in part]
    good = written(dict.fromkeys(ids, "a box"))
    assert "has 399 rows, expected 400" in refusal(grade, good.removesuffix(f"{ids[-1]},a box\n"))
    assert "was given before" in refusal(grade, f"{good}{ids[0]},a box\n")
    assert "found header 'id,text'" in refusal(grade, good.replace("id,caption", "id,text"))


def refusal(grade: Grade, text: str) -> str:
    refused = importlib.import_module("mlgym_kit").SubmissionError
    with pytest.raises(refused) as caught:
        grade(text)
    message = str(caught.value)
    assert message.startswith("submission.csv: ")
    assert len(message) < 300
    return message
