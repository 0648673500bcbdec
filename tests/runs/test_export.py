"""Exports: what the model saw and said, loaded by the libraries that train on it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, nodes
from jinja2.ext import Extension
from run_folders import BRIEF, acted, lay_run

from mlgym.cli.main import main
from mlgym.config import RunConfig
from mlgym.models.transcript import Transcript
from mlgym.runs.sft import chats
from mlgym.runs.single import check, make_env, run_episode
from mlgym.runs.store import RunFolder
from mlgym.types import Usage

SCRIPT = (
    {"text": "I look.", "calls": [["bash", {"command": "ls"}]]},
    "I only talk.",
    {"text": "", "calls": [["create", '{"path": '], ["bash", {"command": "echo 7 > answer.txt"}]]},
    {"text": "Good.", "calls": [["submit", {}]]},
)


def export(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["export", *map(str, arguments)])
    return int(stopped.value.code or 0)


def loaded(path: Path, cache: Path) -> Any:
    import datasets

    return datasets.load_dataset(
        "json", data_files=str(path), split="train", cache_dir=str(cache / "cache")
    )


@pytest.fixture(scope="module")
def played(
    tmp_path_factory: pytest.TempPathFactory, lay_number_task: Callable[[Path], Path]
) -> RunFolder:
    """A run by the agent `toolcaller`."""
    below = tmp_path_factory.mktemp("played")
    script = below / "script.jsonl"
    script.write_text("".join(json.dumps(line) + "\n" for line in SCRIPT))
    config = RunConfig.make(
        task=str(lay_number_task(below)),
        model=f"scripted:{script}",
        sandbox="bubblewrap",
        out=below / "runs",
    )
    found = check(config)
    return run_episode(config, found, make_env(config, found))[0]


def test_a_chat_is_what_the_model_saw_and_said(played: RunFolder) -> None:
    (row,) = chats(played)
    messages = row["messages"]
    roles = [message["role"] for message in messages]
    assert roles == [
        *("system", "user", "assistant", "tool"),
        *("assistant", "user"),
        *("assistant", "tool", "tool"),
        "assistant",
    ]
    said = [message for message in messages if message["role"] == "assistant"]
    assert [message["content"] for message in said] == ["I look.", "I only talk.", "", "Good."]
    assert said[0]["tool_calls"][0]["function"] == {
        "name": "bash",
        "arguments": '{"command": "ls"}',
    }
    # Each reply follows the note that the model had before its eyes, each answer its call.
    assert "50 steps" in messages[1]["content"]
    assert messages[3]["content"].startswith("README.md\n")
    assert "49 steps" in messages[3]["content"]
    for place, message in enumerate(messages):
        if message["role"] == "tool":
            asked = next(m for m in messages[place::-1] if m["role"] == "assistant")
            assert message["tool_call_id"] in [call["id"] for call in asked["tool_calls"]]
    # Nobody is to learn broken JSON.
    assert [message.get("weight", 1) for message in said] == [1, 1, 0, 1]
    assert "bash" in [tool["function"]["name"] for tool in row["tools"]]


def test_each_reply_has_its_request_exactly_as_it_was_sent(played: RunFolder) -> None:
    rows = list(chats(played, each_reply=True))
    sent: list[Any] = []
    requests = []
    for line in (played.path / "model.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["kind"] == "request":
            sent = [*sent[: entry["kept"]], *entry["messages"]]
            requests.append(sent)
    assert len(rows) == len(requests) == 4
    for row, request in zip(rows, requests, strict=True):
        assert [message["content"] for message in row["prompt"]] == [
            message["content"] or "" for message in request
        ]
        assert [message["role"] for message in row["completion"]] == ["assistant"]


def test_the_chats_load_in_datasets_without_loss(played: RunFolder, tmp_path: Path) -> None:
    for flags in ((), ("--objects",)):
        out = tmp_path / f"sft{len(flags)}.jsonl"
        assert export(played.path.parent, "--format", "sft", "--out", out, *flags) == 0
        (row,) = loaded(out, tmp_path)
        (expected,) = chats(played)
        tools = row["tools"] if flags else json.loads(row["tools"])
        assert tools == expected["tools"]
        assert [without_nulls(message) for message in row["messages"]] == [
            as_objects(message) if flags else message for message in expected["messages"]
        ]
        assert (row["task"], row["score"]) == ("number", pytest.approx(0.6))


def without_nulls(message: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if value is not None}


def as_objects(message: Mapping[str, Any]) -> dict[str, Any]:
    calls = [
        {
            **call,
            "function": {
                "name": call["function"]["name"],
                "arguments": json.loads(call["function"]["arguments"]),
            },
        }
        for call in message.get("tool_calls", ())
    ]
    return {**message, "tool_calls": calls} if calls else dict(message)


class Generation(Extension):
    """`{% generation %}`, as Hugging Face's chat templates mark what an assistant said."""

    tags = {"generation"}  # noqa: RUF012 - jinja's own declaration

    def parse(self, parser: Any) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_marked"), [], [], body).set_lineno(line)

    def _marked(self, caller: Callable[[], str]) -> str:
        return f"\x02{caller()}\x03"


TEMPLATE = """\
{%- for tool in tools %}<tool>{{ tool.function.name }}</tool>{% endfor %}
{%- for m in messages %}<{{ m.role }}>
{%- if m.role == "assistant" %}{% generation %}{{ m.content }}
{%- for call in m.tool_calls or [] %}<call>{{ call.function.name }} {{ call.function.arguments }}
{%- endfor %}<end>{% endgeneration %}
{%- else %}{{ m.content }}<end>{% endif %}
{%- endfor %}"""


def tokens_and_mask(row: Mapping[str, Any]) -> tuple[list[str], list[bool]]:
    """The tokens of a row by the template, and which of them the assistant said."""
    template = Environment(extensions=[Generation], autoescape=False).from_string(TEMPLATE)
    text = template.render(messages=row["messages"], tools=json.loads(row["tools"]))
    tokens, mask, said = [], [], False
    for token in re.findall(r"[\x02\x03]|<\w+>|\w+|[^\w\x02\x03]", text):
        if token in "\x02\x03":
            said = token == "\x02"
            continue
        tokens.append(token)
        mask.append(said)
    return tokens, mask


def tokens_of(texts: Sequence[str]) -> list[str]:
    return [token for text in texts for token in re.findall(r"<\w+>|\w+|[^\w]", text)]


def test_token_counts_and_masks_are_those_of_what_was_said(
    played: RunFolder, tmp_path: Path
) -> None:
    out = tmp_path / "sft.jsonl"
    assert export(played.path, "--format", "sft", "--out", out) == 0
    (row,) = loaded(out, tmp_path)
    tokens, mask = tokens_and_mask(row)
    trained = [token for token, said in zip(tokens, mask, strict=True) if said]
    assert trained == tokens_of(
        [
            'I look.<call>bash {"command": "ls"}<end>',
            "I only talk.<end>",
            '<call>create {}<call>bash {"command": "echo 7 > answer.txt"}<end>',
            "Good.<call>submit {}<end>",
        ]
    )
    seen = [m["content"] + "<end>" for m in row["messages"] if m["role"] != "assistant"]
    heads = len(row["messages"]) + sum(
        len(tokens_of([f"<tool>{tool['function']['name']}</tool>"]))
        for tool in json.loads(row["tools"])
    )
    assert len(tokens) == heads + len(tokens_of(seen)) + len(trained)


def test_where_the_context_was_shortened_a_new_chat_begins(tmp_path: Path) -> None:
    entries: list[Mapping[str, Any]] = []
    log = Transcript("m", entries.append)
    system, brief = {"role": "system", "content": "s"}, {"role": "user", "content": "b"}

    def ask(messages: Sequence[Mapping[str, Any]], words: str) -> None:
        *before, last = messages
        log.request([*before, {**last, "content": f"{last['content']}\n\n[note]"}], (), {})
        log.reply({"text": words}, Usage(calls=1), estimated=False, latency_s=0.0)

    def turn(words: str, answer: str) -> list[dict[str, Any]]:
        return [
            {"role": "assistant", "content": words},
            {"role": "user", "content": answer},
        ]

    ask([system, brief], "<think>hm</think>one")
    ask([system, brief, *turn("one", "1")], "two")
    ask([system, brief, *turn("one", "[dropped]"), *turn("two", "2")], "three")
    run = lay_run(tmp_path / "a", talk=entries)
    first, second = (row["messages"] for row in chats(run))
    assert [(m["content"], m.get("weight", 1)) for m in first] == [
        ("s", 1),
        ("b\n\n[note]", 1),
        ("<think>hm</think>one", 1),
        ("1\n\n[note]", 1),
        ("two", 1),
    ]
    assert [(m["content"], m.get("weight", 1)) for m in second] == [
        ("s", 1),
        ("b", 1),
        ("one", 0),
        ("[dropped]", 1),
        ("two", 0),
        ("2\n\n[note]", 1),
        ("three", 1),
    ]


def test_a_run_without_a_model_is_told_as_the_toolcaller_would_have_played_it(
    tmp_path: Path,
) -> None:
    steps = [
        BRIEF,
        acted(1, "ls -la", "x\n", thought="See."),
        acted(2, "edit nonsense", "edit: refused\n"),
        acted(3, 'open "a b.py" 3', "text", metrics=None),
        acted(4, "submit", "done", terminated=True),
    ]
    (row,) = chats(lay_run(tmp_path / "a", steps, task="gone", config={"task": "gone"}))
    calls = [
        (call["function"]["name"], json.loads(call["function"]["arguments"]))
        for message in row["messages"]
        for call in message.get("tool_calls", ())
    ]
    assert calls == [
        ("bash", {"command": "ls -la"}),
        ("bash", {"command": "edit nonsense"}),
        ("open", {"path": "a b.py", "line": 3}),
        ("submit", {}),
    ]
    assert [m["role"] for m in row["messages"]][-1] == "assistant"
    assert "Write a number." in row["messages"][1]["content"]
