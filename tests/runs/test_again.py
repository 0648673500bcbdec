"""What a replay answers a search with."""

from __future__ import annotations

import pytest

from mlgym.runs.again import RecordedAnswers
from mlgym.tools.literature import LiteratureError
from mlgym.types import Transition


def line(action: str, observation: str, tool: str = "literature_search") -> Transition:
    return Transition(1, 0, "", action, observation, 0.0, False, False, tool)


def test_the_same_question_gets_its_answers_in_order() -> None:
    answers = RecordedAnswers(
        [
            line("literature_search 'a  b' 99", "first"),
            line("ls", "files", "bash"),
            line("literature_search c", "other"),
            line("literature_search ' '", "the query is empty."),
            line("literature_search 'a b' 10", "second"),
        ]
    )
    assert [answers.search("a b", 10) for _ in range(2)] == ["first", "second"]
    assert answers.search("c", 5) == "other"
    for question in (("a b", 10), ("c", 1)):
        with pytest.raises(LiteratureError, match="a replay asks nobody"):
            answers.search(*question)
