"""The table as a whole: enough rows, each of a name of its own, in every category."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from pathlib import Path

from attacks.attack import Attack

LEAST = 65


def rows() -> list[Attack]:
    modules = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py"))
    tables = [getattr(import_module(f"attacks.{name}"), "ROWS", ()) for name in modules]
    return [row for table in tables for row in table]


def test_there_are_attacks_of_every_kind() -> None:
    found = Counter(row.category for row in rows())
    assert found.total() >= LEAST
    assert set(found) == {"escape", "theft", "forgery", "exhaustion"}


def test_every_attack_has_a_name_of_its_own() -> None:
    assert [name for name, count in Counter(row.name for row in rows()).items() if count > 1] == []


def test_every_attack_does_something_and_wants_something() -> None:
    for row in rows():
        assert row.actions or row.files, row.name
        assert row.says or row.never, row.name
