"""Files of data as columns: equal values are equal cells, whatever the format."""

import gzip
import io

import numpy as np
import pytest

from mlgym.task.check.tables import canonical, read_tables

ROWS = {"id": ["1", "2", "3"], "label": ["0.5", "-7", "x"]}


def npz(**arrays) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"id,label\n1,0.50\n2,-7\n3,x\n"),
        ("a.csv", b"\xef\xbb\xbfid,label\r\n1.0,.5\r\n2, -7.0\r\n3,x"),
        ("a.tsv", b"id\tlabel\n1\t0.5\n2\t-7\n3\tx\n"),
        ("a.csv.gz", gzip.compress(b"id,label\n1,0.5\n2,-7\n3,x\n", mtime=0)),
        ("a.json", b'[{"id":1,"label":0.5},{"id":2,"label":-7},{"id":3,"label":"x"}]'),
        ("a.json", b'{"id": [1, 2, 3], "label": [0.5, -7, "x"]}'),
        ("a.jsonl", b'{"id":1,"label":0.5}\n\n{"id":2,"label":-7}\n{"id":3,"label":"x"}\n'),
        ("a.npz", npz(id=np.arange(1, 4), label=np.array(["0.5", "-7.0", "x"]))),
    ],
)
def test_every_format_gives_the_same_columns(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    (found,) = read_tables(tmp_path / name, "public/it")
    assert {key: list(cells) for key, cells in found.columns.items()} == ROWS
    assert (found.file, found.rows) == ("public/it", 3)


def test_an_object_of_values_is_two_columns_and_a_section_a_table_of_its_own(tmp_path):
    (tmp_path / "a.json").write_text('{"validation": {"a": 1, "b": 2}, "test": {"c": 3}}')
    first, second = read_tables(tmp_path / "a.json", "a.json")
    assert first.file == "a.json: validation"
    assert first.columns == {"key": ["a", "b"], "value": ["1", "2"]}
    assert second.columns == {"key": ["c"], "value": ["3"]}


def test_an_object_of_short_lists_has_a_row_for_each_key(tmp_path):
    (tmp_path / "a.json").write_text('{"7": ["a cat", "a pet"], "8": ["x", "y"], "9": ["x", "z"]}')
    (found,) = read_tables(tmp_path / "a.json", "a.json")
    assert found.columns["key"] == ["7", "8", "9"]
    assert found.columns["value"][0] == '["a cat", "a pet"]'


def test_rows_of_arrays_are_cells_that_equal_rows_share(tmp_path):
    images = np.arange(24, dtype=np.uint8).reshape(3, 2, 4)
    (tmp_path / "a.npz").write_bytes(npz(x=images, y=np.array([1, 0, 1])))
    np.save(tmp_path / "b.npy", images[::-1])
    (one,), (other,) = (read_tables(tmp_path / name, name) for name in ("a.npz", "b.npy"))
    assert list(one.columns["x"]) == list(other.columns["b"])[::-1]
    assert list(one.columns["y"]) == ["1", "0", "1"]


def test_arrays_of_two_parts_are_two_tables_though_they_are_as_long(tmp_path):
    both = npz(test_y=np.arange(3), validation_y=np.arange(3))
    (tmp_path / "a.npz").write_bytes(both)
    assert {table.file for table in read_tables(tmp_path / "a.npz", "a.npz")} == {
        "a.npz: test",
        "a.npz: validation",
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"id,label\n1\n"),
        ("a.csv", b""),
        ("a.csv", b"\xff\xfe\x00"),
        ("a.json", b"{"),
        ("a.json", b"[" * 100_000),
        ("a.jsonl", b"{}\n{"),
        ("a.npz", b"PK"),
        ("a.npz", npz(x=np.array([{}], dtype=object))),
        ("a.csv.gz", b"no gzip"),
        ("a.png", b"id,label\n1,2\n"),
    ],
)
def test_what_is_damaged_or_no_table_has_no_columns(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert read_tables(tmp_path / name, name) == []


def test_numbers_have_one_form():
    assert {canonical(value) for value in (1, 1.0, "1", " 1.00", "1e0", np.float32(1))} == {"1"}
    assert canonical("0.10") == canonical(0.1) == "0.1"
    assert canonical({"b": 1, "a": 2}) == '{"a": 2, "b": 1}'
    assert canonical("NaN") == canonical(float("nan"))
