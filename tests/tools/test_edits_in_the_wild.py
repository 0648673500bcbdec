"""Edits as models really write them: each lands as it was meant, or is told what to send."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mlgym.env import MLGymEnv

CODE = """\
import numpy as np


def load(path):
    data = np.loadtxt(path)
    return data


class Model:
    def fit(self, x, y):
        self.w = np.linalg.lstsq(x, y)[0]

    def predict(self, x):
        return x @ self.w
"""
LINES = CODE.splitlines(keepends=True)
COUNT = len(LINES)
LOAD = "    data = np.load(path)"


def with_lines(start: int, end: int, text: str) -> str:
    """The file with lines `start` to `end` replaced."""
    return "".join(LINES[: start - 1]) + text + "".join(LINES[end:])


LOADED = with_lines(5, 5, f"{LOAD}\n")
BODY = "    data = np.load(path)\n    return data[1:]\n"
HEREDOC = "cat > code.py <<'EOF'\nprint('$HOME')\nEOF"
LANDS = {
    "one line": (f"edit 5:5\n{LOAD}\nend_of_edit", LOADED),
    "a range": (f"edit 5:6\n{BODY}end_of_edit", with_lines(5, 6, BODY)),
    "the whole file": (f"edit 1:{COUNT}\nx = 1\nend_of_edit", "x = 1\n"),
    "lines deleted": ("edit 2:3\nend_of_edit", with_lines(2, 3, "")),
    "a blank line in place of one": ("edit 1:1\n\nend_of_edit", with_lines(1, 1, "\n")),
    "blank lines within": ("edit 2:3\n\n\n\n\nend_of_edit", with_lines(2, 3, "\n" * 4)),
    "blank lines after the end": (f"edit 5:5\n{LOAD}\nend_of_edit\n\n  \n", LOADED),
    "blank lines before the call": (f"\n\nedit 5:5\n{LOAD}\nend_of_edit", LOADED),
    "spaces around the end mark": (f"edit 5:5\n{LOAD}\n  end_of_edit  ", LOADED),
    "spaces in the range": (f"edit 5 : 5\n{LOAD}\nend_of_edit", LOADED),
    "spaces after the range": (f"edit  5:5   \n{LOAD}\nend_of_edit", LOADED),
    "a range in quotes": (f'edit "5:5"\n{LOAD}\nend_of_edit', LOADED),
    "a call with CRLF throughout": (f"edit 5:5\r\n{LOAD}\r\nend_of_edit\r\n", LOADED),
    "quotes of all kinds": (
        "edit 1:1\na, b, c = 'it\\'s', \"x\", '''y\"z'''\nend_of_edit",
        with_lines(1, 1, "a, b, c = 'it\\'s', \"x\", '''y\"z'''\n"),
    ),
    "what a shell would expand": (
        "edit 1:1\nx = '$HOME `id` $(id) !! \\n'\nend_of_edit",
        with_lines(1, 1, "x = '$HOME `id` $(id) !! \\n'\n"),
    ),
    "an end mark within": (
        "edit 1:1\ns = '''\nend_of_edit\n'''\nend_of_edit",
        with_lines(1, 1, "s = '''\nend_of_edit\n'''\n"),
    ),
    "a heredoc within": (
        "edit 1:1\ns = '''cat <<EOF\nx\nEOF\n'''\nend_of_edit",
        with_lines(1, 1, "s = '''cat <<EOF\nx\nEOF\n'''\n"),
    ),
    "no last newline needed": (
        "edit 1:1\nimport jax\nend_of_edit",
        with_lines(1, 1, "import jax\n"),
    ),
    "bad style and unknown names": (
        "edit 1:1\nimport os,sys;undefined ( 1 )\nend_of_edit",
        with_lines(1, 1, "import os,sys;undefined ( 1 )\n"),
    ),
    "an insert at the top": ("insert 0\n# top\nend_of_insert", f"# top\n{CODE}"),
    "an insert at the end": (f"insert {COUNT}\nx = 1\nend_of_insert", f"{CODE}x = 1\n"),
    "an insert with CRLF": (
        "insert 1\r\nimport os\r\nend_of_insert\r\n",
        LINES[0] + "import os\n" + "".join(LINES[1:]),
    ),
    "a replacement": (f"str_replace code.py\n<<A\n{LINES[4]}A\n<<B\n{LOAD}\nB", LOADED),
    "a replacement with CRLF": (
        f"str_replace code.py\r\n<<A\r\n    data = np.loadtxt(path)\r\nA\r\n<<B\r\n{LOAD}\r\nB\r\n",
        LOADED,
    ),
    "a replacement within a line": (
        "str_replace code.py\n<<'A'\nloadtxt\nA\n<<'B'\nload\nB",
        LOADED,
    ),
    "sed": ("sed -i 's/loadtxt/load/' code.py", LOADED),
    "a heredoc of the shell": (HEREDOC, "print('$HOME')\n"),
    "a whole file": ("create code.py\n<<EOF\nprint('$HOME')\nEOF", "print('$HOME')\n"),
}
REFUSED = {
    "a range past the end": (f"edit 14:20\n{LOAD}\nend_of_edit", f"Send a range within 1:{COUNT}."),
    "a line after the last": (
        f"edit {COUNT + 1}:{COUNT + 1}\nx\nend_of_edit",
        f"send: insert {COUNT}",
    ),
    "a range the wrong way round": ("edit 6:5\nx\nend_of_edit", "Send edit 5:6 if those"),
    "line 0": ("edit 0:3\nx\nend_of_edit", "is no line number from 1 on. Send: edit <start>:<end>"),
    "a negative line": ("edit -1:-1\nx\nend_of_edit", "no line number from 1 on. Send"),
    "no end": ("edit 5:\nx\nend_of_edit", "'' is no line number from 1 on. Send"),
    "one number": ("edit 5\nx\nend_of_edit", "'5' is no range <start>:<end>. Send:\nedit <start>"),
    "a dash": ("edit 5-6\nx\nend_of_edit", "'5-6' is no range <start>:<end>. Send"),
    "a comma": ("edit 5,6\nx\nend_of_edit", "'5,6' is no range <start>:<end>. Send"),
    "brackets": ("edit [5:6]\nx\nend_of_edit", "'[5' is no line number from 1 on. Send"),
    "angle brackets": ("edit <5>:<6>\nx\nend_of_edit", "is no line number from 1 on. Send"),
    "a file before the range": (
        "edit code.py 5:5\nx\nend_of_edit",
        "Send first: open code.py\nand",
    ),
    "the payload on the first line": ("edit 5:5 data = 1 end_of_edit", "argument(s). Send: edit"),
    "no end mark": (f"edit 5:5\n{LOAD}", "the last line must be end_of_edit; nothing was changed."),
    "another end mark": (f"edit 5:5\n{LOAD}\nEOF", "the last line must be end_of_edit"),
    "a mark in capitals": (f"edit 5:5\n{LOAD}\nEND_OF_EDIT", "the last line must be end_of_edit"),
    "a command after the end": (
        f"edit 5:5\n{LOAD}\nend_of_edit\npython code.py",
        "the last line must be end_of_edit",
    ),
    "a command beside the end": (
        f"edit 5:5\n{LOAD}\nend_of_edit && python code.py",
        "the last line must be end_of_edit",
    ),
    "a heredoc": (f"edit 5:5 <<EOF\n{LOAD}\nEOF", "without shell syntax"),
    "a heredoc and the end mark": (f"edit 5:5 <<'E'\n{LOAD}\nE\nend_of_edit", "Send alone: edit"),
    "two edits in one action": (
        f"edit 5:5\n{LOAD}\nend_of_edit\nedit 6:6\n    return 1\nend_of_edit",
        "Send one call an action",
    ),
    "a payload that is not indented": (
        "edit 5:5\ndata = np.load(path)\nend_of_edit",
        "The line there begins with 4 space(s), yours with 0 space(s): send every line indented",
    ),
    "a body that is not indented": (
        "edit 5:6\ndata = np.load(path)\nreturn data\nend_of_edit",
        "The line there begins with 4 space(s), yours with 0 space(s)",
    ),
    "a payload indented too far": (
        "edit 5:5\n        data = np.load(path)\nend_of_edit",
        "begins with 4 space(s), yours with 8 space(s)",
    ),
    "tabs among spaces": (
        "edit 5:5\n\tdata = np.load(path)\nend_of_edit",
        "begins with 4 space(s), yours with 1 tab(s)",
    ),
    "the numbers of the view": (
        f"edit 5:5\n5:{LOAD}\nend_of_edit",
        "without the numbers that the view",
    ),
    "a fence of markdown": (
        f"edit 5:5\n```python\n{LOAD}\n```\nend_of_edit",
        "without the fence of ```",
    ),
    "a diff": (
        f"edit 5:5\n-    data = np.loadtxt(path)\n+{LOAD}\nend_of_edit",
        "Send the new lines alone, not a diff.",
    ),
    "an open bracket": ("edit 1:1\nx = (\nend_of_edit", "would not be valid Python (line"),
    "a body deleted": ("edit 14:14\nend_of_edit", "would not be valid Python"),
    "an insert of a range": (
        "insert 5:5\nx\nend_of_insert",
        "'5:5' is no line number from 0 on. Send",
    ),
    "an insert past the end": (f"insert {COUNT + 1}\nx\nend_of_insert", f"send: insert {COUNT}."),
    "an insert with the mark of an edit": (
        "insert 5\nx\nend_of_edit",
        "the last line must be end_of_insert",
    ),
    "an insert that is not indented": (
        "insert 5\nprint(data)\nend_of_insert",
        "begins with 4 space(s), yours with 0 space(s)",
    ),
    "an old text indented otherwise": (
        "str_replace code.py\n<<A\ndata = np.loadtxt(path)\nreturn data\nA\n<<B\nx\nB",
        "At line 5 it differs in white space only: send it as it stands there.",
    ),
    "an old text that is not there": (
        "str_replace code.py\n<<A\nnp.genfromtxt\nA\n<<B\nx\nB",
        "Open the file and send the text exactly",
    ),
    "an old text that is there twice": (
        "str_replace code.py\n<<A\ndata\nA\n<<B\nx\nB",
        "occurs 2 times in /workspace/code.py; it must occur exactly once. Nothing was changed."
        " Send more of the lines around it.",
    ),
    "an empty old text": ("str_replace code.py\n<<A\nA\n<<B\nx\nB", "To add lines send insert"),
    "a replacement on one line": ("str_replace code.py loadtxt load", "Send: str_replace <file>"),
    "a replacement without tags": (
        "str_replace code.py\nloadtxt\nload",
        "expected a line <<TAG. Send",
    ),
    "a file that exists": ("create code.py", "Send open with its path, or create with its whole"),
    "content without tags": ("create code.py\nprint(1)", "expected a line <<TAG. Send:\ncreate"),
    "a heredoc beside create": ("create code.py <<EOF\nprint(1)\nEOF", "Send alone: create <file>"),
    "a block that is not closed": (
        "create code.py\n<<EOF\nprint(1)",
        "no line EOF closes the block",
    ),
}


@pytest.fixture(scope="module")
def shared() -> Iterator[MLGymEnv]:
    env = MLGymEnv("battle_of_sexes", sandbox="bubblewrap", data="mini", max_steps=10_000)
    yield env
    env.close()


@pytest.fixture
def env(shared: MLGymEnv) -> MLGymEnv:
    shared.reset()
    shared.sandbox.write("code.py", CODE.encode())
    shared.step("open code.py")
    return shared


def content(env: MLGymEnv) -> str:
    return env.sandbox.read("code.py", 1 << 20).decode()


@pytest.mark.parametrize("name", LANDS)
def test_an_edit_lands_as_it_was_meant(env: MLGymEnv, name: str) -> None:
    action, wanted = LANDS[name]
    observation = env.step(action)[0]
    assert content(env) == wanted, observation


@pytest.mark.parametrize("name", REFUSED)
def test_an_edit_that_cannot_land_is_told_what_to_send(env: MLGymEnv, name: str) -> None:
    action, words = REFUSED[name]
    observation = env.step(action)[0]
    assert content(env) == CODE
    assert words in observation
    assert "send" in observation.lower()
    assert len(observation) < 500


@pytest.mark.parametrize(
    ("before", "action", "after"),
    [
        ("a\r\nb\r\nc\r\n", "edit 2:2\nB\nend_of_edit", "a\r\nB\r\nc\r\n"),
        ("a\r\nb\r\nc\r\n", "edit 2:2\r\nB\r\nend_of_edit\r\n", "a\r\nB\r\nc\r\n"),
        ("a\nb\nc", "edit 3:3\nC\nend_of_edit", "a\nb\nC"),
        ("a\nb\nc", "insert 3\nd\nend_of_insert", "a\nb\nc\nd"),
        ("", "edit 1:1\na\nend_of_edit", "a\n"),
        ("", "insert 0\na\nend_of_insert", "a\n"),
        ("a", "str_replace t.txt\n<<A\na\nA\n<<B\nb\nB", "b"),
        ("if (\n", "edit 1:1\n\t5: x ``` - end_of_edit\nend_of_edit", "\t5: x ``` - end_of_edit\n"),
    ],
)
def test_line_ends_stay_as_they_were_and_texts_are_not_judged(
    env: MLGymEnv, before: str, action: str, after: str
) -> None:
    env.sandbox.write("t.txt", before.encode())
    env.step("open t.txt")
    env.step(action)
    assert env.sandbox.read("t.txt", 1 << 20).decode() == after


def test_the_table_has_what_it_promises() -> None:
    assert len(LANDS) + len(REFUSED) >= 40
