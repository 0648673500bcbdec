"""Datasets of the Hub: what is written, from copies of the shape that it has, and what fails."""

import base64
import datetime
import gzip
import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from preparing import prepare, rewrite

from mlgym.errors import ConfigError, SandboxError, TaskError
from mlgym.task.hub import fetch_dataset
from mlgym.task.spec import load_task

datasets = pytest.importorskip("datasets", reason="needs `datasets`: pip install 'mlgym[full]'")
pytestmark = pytest.mark.usefixtures("home")

PINNED = "dataset: someone/pictures, version: abc123, splits: {train: 3, test: 2}"


def png(grey: int) -> bytes:
    """A picture of one grey pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes([0, grey])))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


def write_copy(folder: Path, rows: dict[str, int]) -> None:
    """A dataset as the Hub stores one: a parquet file a split, which knows its features."""
    file = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    kinds = datasets.Features(
        {
            "image": file,
            "more": {"pictures": datasets.List(file)},
            "label": datasets.ClassLabel(names=["dark", "light"]),
            "text": datasets.Value("string"),
            "when": datasets.Value("timestamp[s]"),
            "size": datasets.Value("float64"),
            "raw": datasets.Value("binary"),
        }
    )
    (folder / "data").mkdir(parents=True)
    for split, count in rows.items():
        pictures = [{"bytes": png(number), "path": None} for number in range(count)]
        columns = {
            "image": pictures,
            "more": [{"pictures": [picture, picture]} for picture in pictures],
            "label": [number % 2 for number in range(count)],
            "text": [f"{split} {number}: naïve\n" for number in range(count)],
            "when": [datetime.datetime(2024, 1, 2)] * count,
            "size": [0.5] * (count - 1) + [float("nan")],
            "raw": [b"\x00\xff"] * count,
        }
        made = datasets.Dataset.from_dict(columns, features=kinds)
        # Said afterwards: to encode pictures the library wants another one.
        made = made.cast_column("image", datasets.Image())
        made = made.cast_column("more", {"pictures": datasets.List(datasets.Image())})
        made.to_parquet(folder / "data" / f"{split}-00000-of-00001.parquet")


def source_of(toy_task: Path, source: str = PINNED):
    added = f"data: data.py\nsources: [{{{source}, profiles: [full]}}]"
    rewrite(toy_task, "task.yaml", "data: data.py", added)
    task = load_task(toy_task)
    return task, task.spec.sources[0]


def lines_of(file: Path) -> list[dict]:
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]


def test_rows_are_lines_of_json_in_order_and_files_are_base64(toy_task, home):
    write_copy(home / "manual" / "toy" / "someone__pictures", {"train": 3, "test": 2})
    folder = fetch_dataset(*source_of(toy_task), print)
    assert folder.name == "someone__pictures"
    assert folder.parent.parent == home / "sources"
    assert sorted(path.name for path in folder.iterdir()) == ["test.jsonl.gz", "train.jsonl.gz"]
    rows = lines_of(folder / "train.jsonl.gz")
    assert [row["text"] for row in rows] == [f"train {number}: naïve\n" for number in range(3)]
    assert [base64.b64decode(row["image"]) for row in rows] == [png(number) for number in range(3)]
    assert rows[1]["more"] == {"pictures": [rows[1]["image"]] * 2}
    assert rows[1]["label"] == 1
    assert rows[1]["when"] == "2024-01-02T00:00:00"
    assert [row["size"] for row in rows] == [0.5, 0.5, None]
    assert rows[0]["raw"] == "AP8="


def test_the_files_are_the_same_wherever_they_are_made(toy_task, home, tmp_path, monkeypatch):
    task, source = source_of(toy_task)
    found = []
    for place in (home, tmp_path / "other"):
        monkeypatch.setenv("MLGYM_HOME", str(place))
        write_copy(place / "manual" / "toy" / "someone__pictures", {"train": 3, "test": 2})
        folder = fetch_dataset(task, source, print)
        found.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert found[0] == found[1]


def test_a_data_script_reads_it_and_it_is_written_once(toy_task, home):
    write_copy(home / "manual" / "toy" / "someone__pictures", {"train": 3, "test": 2})
    source_of(toy_task)
    script = (
        "import gzip, os; print(len(gzip.open(os.environ['MLGYM_SOURCES'] + NAME).readlines()))"
    )
    rewrite(toy_task, "data.py", "    print(", f"    if profile == 'full': {script}; print(")
    rewrite(toy_task, "data.py", "import random", "import random\n\nNAME = '/NAME'")
    rewrite(toy_task, "data.py", "/NAME", "/someone__pictures/train.jsonl.gz")
    (home / "manual" / "toy" / "someone__pictures" / "README.md").write_text("# Pictures\n")
    prepare(toy_task, "full")
    (home / "manual").rename(home / "gone")
    prepare(toy_task, "full", data_seed=1)
    prepare(toy_task, "mini")


def test_a_config_is_found_in_the_whole_copy_and_in_a_copy_of_its_own(toy_task, home):
    """A whole copy says in its README which files a config has, as on the Hub."""
    manual = home / "manual" / "toy"
    write_copy(manual / "someone__pictures" / "small", {"train": 3, "test": 2})
    (manual / "someone__pictures" / "README.md").write_text(
        "---\nconfigs:\n- config_name: small\n  data_files:\n"
        "  - {split: train, path: small/data/train-*}\n"
        "  - {split: test, path: small/data/test-*}\n---\n"
    )
    task, source = source_of(toy_task, f"{PINNED}, config: small")
    folder = fetch_dataset(task, source, print)
    assert folder.name == "someone__pictures__small"
    first = (folder / "train.jsonl.gz").read_bytes()
    (manual / "someone__pictures" / "small").rename(manual / "someone__pictures__small")
    fewer = source.model_copy(update={"splits": {"train": 3}})
    assert (fetch_dataset(task, fewer, print) / "train.jsonl.gz").read_bytes() == first


def test_of_a_large_dataset_the_first_rows_are_taken(toy_task, home):
    write_copy(home / "manual" / "toy" / "someone__pictures", {"train": 9, "test": 2})
    sized = PINNED.replace("train: 3", "train: 9")
    folder = fetch_dataset(*source_of(toy_task, f"{sized}, rows: 4"), print)
    assert len(lines_of(folder / "train.jsonl.gz")) == 4
    assert len(lines_of(folder / "test.jsonl.gz")) == 2


def test_the_sum_of_the_lines_is_told_and_held_to(toy_task, home):
    write_copy(home / "manual" / "toy" / "someone__pictures", {"train": 3, "test": 2})
    task, source = source_of(toy_task)
    said: list[str] = []
    fetch_dataset(task, source, said.append)
    told = said[-1].rpartition(" ")[2]
    pinned = source.model_copy(update={"sha256": told})
    assert fetch_dataset(task, pinned, print).is_dir()
    with pytest.raises(ConfigError, match=f"found sum {told}, expected aaaa"):
        fetch_dataset(task, source.model_copy(update={"sha256": "a" * 64}), print)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (PINNED.replace("train: 3", "train: 4"), "train has 3 rows, expected 4"),
        (PINNED.replace("test: 2", "dev: 2"), "dev"),
    ],
)
def test_a_copy_of_something_else_is_refused_by_name_and_not_kept(toy_task, home, source, said):
    placed = home / "manual" / "toy" / "someone__pictures"
    write_copy(placed, {"train": 3, "test": 2})
    with pytest.raises(ConfigError) as caught:
        fetch_dataset(*source_of(toy_task, source), print)
    assert str(caught.value).startswith(f"{placed}: ")
    assert said in str(caught.value)
    assert "someone/pictures, revision abc123" in str(caught.value)
    assert not list((home / "sources").glob("[!.]*"))


@pytest.mark.parametrize("limit", ["", ", rows: 1"])
def test_without_a_network_one_sentence_says_what_to_do(toy_task, home, limit):
    """In a process of its own: the library reads its settings when it is imported."""
    source_of(toy_task, PINNED + limit)
    program = (
        "import sys; from pathlib import Path; from mlgym.task.hub import fetch_dataset\n"
        "from mlgym.task.spec import load_task; task = load_task(Path(sys.argv[1]))\n"
        "try:\n    fetch_dataset(task, task.spec.sources[0], lambda _: None)\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(toy_task)],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(home / "hf")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"{SandboxError.__name__} toy: the dataset someone/pictures")
    assert len(done.stdout.splitlines()) == 1
    assert "revision abc123, cannot be fetched" in done.stdout
    assert f"{home}/manual/toy/someone__pictures/" in done.stdout
    assert "HF_HOME" in done.stdout


def test_a_missing_library_is_named_with_the_command_that_installs_it(toy_task, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ConfigError, match=r"pip install 'mlgym\[full\]'"):
        fetch_dataset(*source_of(toy_task), print)


def test_what_the_dataset_does_not_have_is_the_tasks_mistake(toy_task, home, monkeypatch):
    """A folder of the dataset's name is to the library what the Hub's answer would be."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", home / "hf")
    write_copy(home / "someone" / "pictures", {"train": 3, "test": 2})
    monkeypatch.chdir(home)
    task, source = source_of(toy_task, PINNED.replace("train: 3", "train: 4"))
    with pytest.raises(TaskError, match=r"task.yaml: sources: .*train has 3 rows, expected 4"):
        fetch_dataset(task, source, print)
    with pytest.raises(TaskError, match="nothing"):
        fetch_dataset(task, source.model_copy(update={"splits": {"nothing": 1}}), print)
