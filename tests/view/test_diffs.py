"""Diffs of edits: what actions and observations tell, and no guess beyond."""

from __future__ import annotations

from pathlib import Path

from run_folders import BRIEF, acted, lay_run
from viewers import Viewer

from mlgym.types import Transition
from mlgym.view.diffs import compared

PATH = "/workspace/train.py"


def window(*lines: str) -> str:
    shown = "".join(f"{number}:{line}\n" for number, line in enumerate(lines, 1))
    return f"[{PATH}: {len(lines)} lines]\n{shown}"


def diffs(viewer: Viewer, runs: Path, *steps: Transition, first: int = 1) -> list[list[object]]:
    lay_run(runs / "a", [BRIEF, *steps])
    found = viewer.json("/api/steps", id="a", **{"from": first})["steps"]
    for step in found:
        assert all(change["path"] == PATH for change in step["diff"])
    return [change["lines"] for step in found for change in step["diff"]]


def test_an_edit_shows_what_it_replaced_where_that_was_on_view(viewer: Viewer, runs: Path) -> None:
    before = window("a", "b", "c", "d")
    after = f"{PATH}: 2 line(s) replaced by 3.\n" + window("a", "x", "c", "y", "d")
    again = f"{PATH}: 1 line(s) replaced by 1.\n" + window("a", "x", "c", "y", "e")
    (first, second) = diffs(
        viewer,
        runs,
        acted(1, "open train.py", before),
        acted(2, "edit 2:3\nx\nc\ny\nend_of_edit", after),
        acted(3, "edit 5:5\ne\nend_of_edit", again),
    )
    head = ["@", "from line 2"]
    assert first == [head, [" ", "a"], ["-", "b"], ["+", "x"], [" ", "c"], ["+", "y"], [" ", "d"]]
    head, rest = ["@", "from line 5"], [[" ", "x"], [" ", "c"], [" ", "y"]]
    assert second == [head, *rest, ["-", "d"], ["+", "e"]]


def test_lines_that_were_not_on_view_are_not_made_up(viewer: Viewer, runs: Path) -> None:
    told = f"{PATH}: 2 line(s) replaced by 1.\n" + window("x", "c")
    edit = acted(2, "edit 1:2\nx\nend_of_edit", told)
    went_back = acted(3, "edit 1:2\nx\nend_of_edit", told, parent=0)
    head = ["@", "from line 1, in place of 2 line(s) that were not on view"]
    shown = diffs(viewer, runs, acted(1, "ls"), edit, went_back)
    assert shown == [[head, ["+", "x"], [" ", "c"]]] * 2


def test_what_was_shown_long_ago_does_not_count_wherever_one_begins_to_read(
    viewer: Viewer, runs: Path
) -> None:
    told = f"{PATH}: 1 line(s) replaced by 1.\n" + window("x")
    steps = [acted(1, "open train.py", window("a"))]
    steps += [acted(step, "ls") for step in range(2, 60)]
    steps.append(acted(60, "edit 1:1\nx\nend_of_edit", told))
    lay_run(runs / "a", [BRIEF, *steps])
    for first in (0, 20, 60):
        found = viewer.json("/api/steps", id="a", **{"from": first})["steps"][-1]
        assert found["diff"][0]["lines"][0][1].endswith("not on view")


def test_insert_create_and_str_replace_are_shown(viewer: Viewer, runs: Path) -> None:
    inserted, created, replaced = diffs(
        viewer,
        runs,
        acted(
            1,
            "insert 1\nnew\nend_of_insert",
            f"{PATH}: 0 line(s) replaced by 1.\n" + window("a", "new", "b"),
        ),
        acted(2, "create train.py\n<<END\n<b>1</b>\n2\nEND", f"{PATH} was written.\n"),
        acted(
            3,
            "str_replace train.py\n<<END\nold\nsame\nEND\n<<END\nnew\nsame\nEND",
            f"{PATH}: replaced once.\n",
        ),
    )
    assert inserted == [["@", "from line 2"], [" ", "a"], ["+", "new"], [" ", "b"]]
    assert created == [["+", "<b>1</b>"], ["+", "2"]]
    assert replaced == [["-", "old"], ["+", "new"], [" ", "same"]]


def test_refused_edits_and_other_actions_changed_nothing(viewer: Viewer, runs: Path) -> None:
    told = f"{PATH}: 1 line(s) replaced by 1.\n"
    steps = (
        acted(1, "edit 1:1\nx\nend_of_edit", "refused: that is no Python; nothing was changed."),
        acted(2, "edit nonsense", told),
        acted(3, "echo", told, tool="bash"),
        acted(4, "ls", told, tool="edit"),
        acted(5, "edit 1:1\nx\nend_of_edit", f"{PATH}: {'9' * 5000} line(s) replaced by 1.\n"),
    )
    assert diffs(viewer, runs, *steps) == []


def test_long_texts_are_compared_in_bounded_time() -> None:
    old, new = [f"a{n % 7}" for n in range(20_000)], [f"a{n % 5}" for n in range(20_000)]
    lines = compared(old, new)
    assert [text for mark, text in lines if mark != "+"] == old
    assert [text for mark, text in lines if mark != "-"] == new
    inner = compared(list("xabcabbay"), list("xcbabacy"))
    assert "".join(text for mark, text in inner if mark == " ") in ("xbabay", "xcabay", "xcbbay")
