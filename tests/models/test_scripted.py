"""The scripted model: replies in order, recorded like any other model's."""

import pytest

from mlgym.errors import ConfigError, ModelError
from mlgym.models.scripted import ScriptedModel

HELLO = [{"role": "user", "content": "hello"}]


def test_replies_come_in_order_and_their_end_is_an_error(tmp_path):
    script = tmp_path / "script.jsonl"
    script.write_text(
        '"a \u2028 b"\n\n{"text": "look", "calls": [["bash", {"command": "ls"}], ["bash", "{"]]}\n'
    )
    entries = []
    model = ScriptedModel.from_file(str(script), entries.append)
    assert model.name == f"scripted:{script}"
    assert model.complete(HELLO).text == "a \u2028 b"
    reply = model.complete(HELLO)
    assert [(call.name, call.arguments) for call in reply.tool_calls] == [
        ("bash", '{"command": "ls"}'),
        ("bash", "{"),
    ]
    assert (reply.usage.calls, reply.usage.cost_usd) == (1, 0.0)
    with pytest.raises(ModelError, match="at its end after 2 replies"):
        model.complete(HELLO)
    assert [entry["kind"] for entry in entries] == [
        *(["request", "reply"] * 2),
        "request",
        "failure",
    ]


@pytest.mark.parametrize(
    "line", ["{", "3", '{"txt": "x"}', '{"calls": [["bash"]]}', '{"calls": [[1, {}]]}']
)
def test_a_bad_line_is_refused_with_file_and_number(tmp_path, line):
    script = tmp_path / "script.jsonl"
    script.write_text(f'"fine"\n{line}\n')
    with pytest.raises(ConfigError, match=r"script\.jsonl: line 2: found .*expected"):
        ScriptedModel.from_file(str(script))
