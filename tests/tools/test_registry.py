"""The two languages of tool calls convert into each other without loss."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgym.errors import ConfigError
from mlgym.tools.base import ActionError
from mlgym.tools.registry import TOOLS, from_json, parse_action, render_call, tool_specs
from mlgym.types import ToolCall

NAMES = [tool.spec.name for tool in TOOLS]
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
hard = st.sampled_from(
    ["", "\n", "END", "END\n", "<<END", "end_of_edit", "end_of_insert", "a\n\n", "\ta", "'\"$`\\"]
)
anything = st.lists(st.one_of(texts, hard), max_size=4).map("\n".join)
line = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\n"), min_size=1, max_size=30
)
number = st.integers(0, 10**6)
whole = anything.map(lambda text: text if not text or text.endswith("\n") else text + "\n")


def call(name: str, required: dict, **optional: st.SearchStrategy) -> st.SearchStrategy[ToolCall]:
    return st.fixed_dictionaries(required, optional=optional).map(
        lambda arguments: ToolCall(name, arguments)
    )


calls = st.one_of(
    call("bash", {"command": anything}),
    call(
        "bash", {"command": st.sampled_from(NAMES).flatmap(lambda n: anything.map(lambda t: n + t))}
    ),
    call("bash", {"command": anything.map(lambda text: "command " + text)}),
    call("bash", {"command": st.sampled_from(NAMES).map(lambda n: f"command command {n} x")}),
    call("open", {"path": line}, line=number.map(lambda n: n + 1)),
    call("goto", {"line": number.map(lambda n: n + 1)}),
    *(call(name, {}) for name in ("scroll_up", "scroll_down", "validate", "submit", "forfeit")),
    call("create", {"path": line}, content=anything),
    call(
        "edit",
        {"start": number.map(lambda n: n + 1), "end": number.map(lambda n: n + 1), "text": whole},
    ),
    call("insert", {"line": number, "text": whole}),
    call("str_replace", {"path": line, "old": anything, "new": anything}),
    call("search_dir", {"term": line}, path=line),
    call("search_file", {"term": line}, path=line),
    call("find_file", {"name": line}, path=line),
    call("memory_write", {"text": anything}),
    call("memory_write", {"text": line}),
    call("memory_read", {"query": st.one_of(line, st.just(""))}, limit=number.map(lambda n: n + 1)),
    call("literature_search", {"query": line}, limit=number.map(lambda n: n + 1)),
    call("view_image", {"path": line}),
)


@given(calls)
def test_a_call_survives_its_text_form(found: ToolCall) -> None:
    assert parse_action(render_call(found)) == found


@given(calls)
def test_a_call_survives_its_json_form(found: ToolCall) -> None:
    assert from_json(found.name, json.dumps(dict(found.arguments))) == found
    assert from_json(found.name, found.arguments) == found


@given(anything)
def test_every_text_is_a_call_or_says_what_to_send(text: str) -> None:
    with contextlib.suppress(ActionError):
        found = parse_action(text)
        assert parse_action(render_call(found)) == found


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("ls -la", "bash", {"command": "ls -la"}),
        ("", "bash", {"command": ""}),
        ("  validate  ", "validate", {}),
        ("validate\n\n", "validate", {}),
        ("validated", "bash", {"command": "validated"}),
        ("open=3; echo $open", "bash", {"command": "open=3; echo $open"}),
        ("command open x", "bash", {"command": "open x"}),
        ("command -v python", "bash", {"command": "command -v python"}),
        ("bash train.sh", "bash", {"command": "bash train.sh"}),
        ('open "a b.py" 12', "open", {"path": "a b.py", "line": 12}),
        ("open a.py", "open", {"path": "a.py"}),
        ("goto 7", "goto", {"line": 7}),
        ("create new.py", "create", {"path": "new.py"}),
        ("create n.py\n<<EOF\nx = 1\nEOF", "create", {"path": "n.py", "content": "x = 1\n"}),
        ("create n.py\n<<'EOF'\nEOF", "create", {"path": "n.py", "content": ""}),
        ("create n\n<<E no_newline\nx\nE", "create", {"path": "n", "content": "x"}),
        ("edit 3:4\na\n  b\nend_of_edit", "edit", {"start": 3, "end": 4, "text": "a\n  b\n"}),
        ("edit 3:3\nend_of_edit\n\n", "edit", {"start": 3, "end": 3, "text": ""}),
        (
            "edit 1:1\nend_of_edit\nx\nend_of_edit",
            "edit",
            {"start": 1, "end": 1, "text": "end_of_edit\nx\n"},
        ),
        (
            "edit 1:1\na\rb\fc\u2028d\nend_of_edit",
            "edit",
            {"start": 1, "end": 1, "text": "a\rb\fc\u2028d\n"},
        ),
        ("insert 0\n\nend_of_insert", "insert", {"line": 0, "text": "\n"}),
        (
            "str_replace a.py\n<<A\nx = 1\nA\n<<B\nx = 2\nB",
            "str_replace",
            {"path": "a.py", "old": "x = 1", "new": "x = 2"},
        ),
        ("search_dir 'two words' src", "search_dir", {"term": "two words", "path": "src"}),
        ("search_file term", "search_file", {"term": "term"}),
        ('find_file "*.py"', "find_file", {"name": "*.py"}),
        ('memory_write "a note"', "memory_write", {"text": "a note"}),
        ("memory_write it's 'best' so", "memory_write", {"text": "it's 'best' so"}),
        ("memory_write\n<<A\nx > 1\n\ny\nA", "memory_write", {"text": "x > 1\n\ny"}),
        ("memory_write <<'A'\nx\nA\n\n", "memory_write", {"text": "x"}),
        ("memory_write\r\n<<A\r\nx\r\nA\r\n", "memory_write", {"text": "x"}),
        ("memory_read 'learning rate' 3", "memory_read", {"query": "learning rate", "limit": 3}),
        ("memory_read ''", "memory_read", {"query": ""}),
        ("literature_search cutout", "literature_search", {"query": "cutout"}),
    ],
)
def test_the_published_forms_are_read(text: str, name: str, arguments: dict) -> None:
    assert parse_action(text) == ToolCall(name, arguments)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("validate && ls", "Send alone: validate"),
        ("submit; ls", "Send alone: submit"),
        ("validate | tee log", "Send alone: validate"),
        ("submit\nls", "Send alone: submit"),
        ("open", 'open "<path>" [line]'),
        ("open a.py ten", "no line number"),
        ("open 'a.py", "No closing quotation"),
        ("goto 0", "no line number"),
        ("goto end", "no line number"),
        ("edit 3\nx\nend_of_edit", "<start>:<end>"),
        ("edit 3:4\nx", "last line must be end_of_edit"),
        ("edit 3:4\nx\nend_of_edit\necho done", "last line must be end_of_edit"),
        ("edit a.py 3:4\nx\nend_of_edit", "Send"),
        ("edit 0:4\nx\nend_of_edit", "no line number"),
        ("insert -1\nx\nend_of_insert", "no line number"),
        ("insert 3\nx\nend_of_edit", "last line must be end_of_insert"),
        ("create", "create <file>"),
        ("create a.py\nx = 1", "<<TAG"),
        ("create a.py\n<<EOF\nx = 1", "no line EOF"),
        ("str_replace a.py\n<<A\nx\nA", "str_replace <file>"),
        ("search_dir", "search_dir <term> [dir]"),
        ("scroll_down 5", "Send: scroll_down"),
        ("memory_write", 'memory_write "<text>"'),
        ("memory_write a && ls", "whole action"),
        ("memory_write 'a' b", 'memory_write "<text>"'),
        ("memory_write 'a", "No closing quotation"),
        ("memory_write a\nb", "<<TAG"),
        ("memory_write\n<<A\nb", "no line A"),
        ("memory_read learning rate", "no number of results"),
        ("memory_read a 0", "no number of results"),
        ("literature_search what is new", 'literature_search "<query>" [limit]'),
    ],
)
def test_a_malformed_call_is_told_what_to_send(text: str, words: str) -> None:
    with pytest.raises(ActionError) as error:
        parse_action(text)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("validat", "{}", "Did you mean validate?"),
        ("bash", "{", "no valid JSON"),
        ("bash", "[]", "JSON object"),
        ("bash", "{}", "needs the parameter 'command'"),
        ("bash", '{"command": 3}', "must be a string"),
        ("bash", '{"cmd": "ls"}', "no parameter 'cmd'"),
        ("goto", '{"line": "x"}', "integer"),
        ("goto", '{"line": 0}', "at least 1"),
        ("goto", '{"line": true}', "integer"),
        ("open", '{"path": "a\\nb"}', "single line"),
    ],
)
def test_a_malformed_function_call_is_told_what_is_wrong(
    name: str, arguments: str, words: str
) -> None:
    with pytest.raises(ActionError) as error:
        from_json(name, arguments)
    assert words in str(error.value)


def test_what_loses_nothing_is_taken_leniently() -> None:
    assert from_json("goto", '{"line": "12"}') == ToolCall("goto", {"line": 12})
    assert from_json("open", '{"path": "a", "line": null}') == ToolCall("open", {"path": "a"})
    assert from_json("bash", '{"command": "a\nb"}') == ToolCall("bash", {"command": "a\nb"})
    assert from_json("submit", "") == ToolCall("submit", {})
    assert from_json("edit", {"start": 1, "end": 1, "text": "x"}).arguments["text"] == "x\n"


def test_the_names_and_parameters_are_the_published_ones() -> None:
    found = {tool.spec.name: [*tool.spec.parameters["properties"]] for tool in TOOLS}
    assert found == {
        "bash": ["command"],
        "open": ["path", "line"],
        "goto": ["line"],
        "scroll_up": [],
        "scroll_down": [],
        "create": ["path", "content"],
        "edit": ["start", "end", "text"],
        "insert": ["line", "text"],
        "str_replace": ["path", "old", "new"],
        "search_dir": ["term", "path"],
        "search_file": ["term", "path"],
        "find_file": ["name", "path"],
        "memory_write": ["text"],
        "memory_read": ["query", "limit"],
        "literature_search": ["query", "limit"],
        "view_image": ["path"],
        "validate": [],
        "submit": [],
        "forfeit": [],
    }


def test_an_unknown_tool_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="bash"):
        tool_specs(["bahs"])
