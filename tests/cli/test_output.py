"""What agents, tasks and models wrote is shown, never obeyed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlgym.cli.live import step_line
from mlgym.cli.output import money, one_line, plain, seconds, size
from mlgym.types import Transition


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("abc\rdef", "abc\\rdef"),
        ("a\u202eb", "a\\u202eb"),
        ("half \ud800", "half \\ud800"),
        ("windows\r\nlines\ttab", "windows\nlines\ttab"),
        ("[bold]é 漢[/bold]", "[bold]é 漢[/bold]"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_one_line_is_the_first_that_says_something_cut_to_the_width() -> None:
    assert one_line("\n  \n  echo hi\nmore", 80) == "echo hi"
    assert one_line("x" * 100, 10) == "xxxxxxx..."
    assert one_line("", 10) == ""


def test_durations_money_and_sizes_are_readable() -> None:
    assert [seconds(value) for value in (0.04, 59.96, 185, 7620)] == [
        "0.0 s",
        "60.0 s",
        "3 min 05 s",
        "2 h 07 min",
    ]
    assert [money(value) for value in (None, 0.01234, 12.5)] == ["unknown", "$0.0123", "$12.50"]
    assert [size(value) for value in (12, 1500, 2_500_000_000)] == ["12 B", "1.5 kB", "2.5 GB"]


def test_a_step_s_line_tells_what_came_of_the_action() -> None:
    step = Transition(
        step=3,
        parent=2,
        thought="",
        action="python train.py\necho \x1b[2J",
        observation="",
        reward=0.5,
        terminated=False,
        truncated=False,
        tool="bash",
        exit_code=1,
        metrics={"r2": 0.25},
        duration_s=1.25,
    )
    line = step_line(step, 50)
    assert line == "[3/50] bash        python train.py  exit 1, r2 0.25, reward +0.5, 1.2 s"
    assert "train.py  back at step 1, exit 1" in step_line(replace(step, parent=1), 50)
