"""Actions typed line by line: where one is at its end, and how a pipe of them is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgym.tools.typed import is_whole, split_actions

WHOLE = [
    "ls -la",
    "validate",
    "open 'a b.py' 3",
    "echo 'two\nlines'",
    "cat <<< here",
    "cat <<'END' > a\nit's\nEND",
    "cat <<-A; cat << B\n\tx\n\tA\ny\nB",
    "cat <<A\n<<B\nA",
    "ls \\\n -la",
    "echo $((1<<3))  # it's fine",
    "for i in 1 2; do",  # the shell will say so: only quotations and here documents are waited for
    "edit 1:2\nx = 1\n\nend_of_edit",
    "insert 0\nend_of_insert",
    "create a.py\n",
    "create a.py\n<<T\nx\n\nT",
    "create a.py\nno block",
    "str_replace a.py\n<<A\nold\nA\n<<B no_newline\nnew\nB",
    "str_replace a.py\n<<A\nA\nA\n<<B\nB",
    "str_replace a.py\nno block",
    "command edit",
    "",
]


@pytest.mark.parametrize("text", WHOLE)
def test_a_whole_action_is_sent(text):
    assert is_whole(text)


@pytest.mark.parametrize(
    "text",
    [
        "echo 'two",
        'python -c "\nimport numpy',
        "ls \\",
        "cat <<END\nEND1",
        "cat <<A <<B\nx\nA",
        "edit 1:2",
        "edit 1:2\nx = 'a'\nend_of_insert",
        "insert 3\n",
        "create a.py",
        "create a.py\n<<T\nx",
        "str_replace a.py",
        "str_replace a.py\n<<A\nold\nA",
        "str_replace a.py\n<<A\nold\nA\n<<B\nnew",
    ],
)
def test_an_action_that_is_not_at_its_end_is_gone_on_with(text):
    assert not is_whole(text)


def test_a_pipe_is_cut_into_its_actions():
    whole = [text for text in WHOLE if text.strip() and "no block" not in text]
    lines = "\n\n".join(whole).splitlines(keepends=True)
    assert list(split_actions(lines)) == [text.strip("\n") for text in whole]


def test_what_is_not_at_its_end_when_the_pipe_is_comes_as_it_stands():
    assert list(split_actions(["ls\n", "edit 1:1\n", "x = 1\n"])) == ["ls", "edit 1:1\nx = 1"]
    assert list(split_actions(["create a.py"])) == ["create a.py"]


pieces = st.sampled_from(
    ["ls", "'", "<<A", "A", "create a", "edit 1:1", "end_of_edit", "", " ", "\\"]
)


@given(st.lists(pieces, max_size=12))
def test_no_line_is_lost_or_made_up(lines):
    found = "\n".join(split_actions(lines)).split("\n")
    assert [line for line in found if line.strip()] == [line for line in lines if line.strip()]
