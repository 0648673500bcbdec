"""The agent in plain text, asked by hand, with a real HTTP server as its model."""

import sys

import pytest
from model_server import calls, dropped, empty, fails, overflow, rate_limited, says, server_error

from mlgym.agent import Decision
from mlgym.agent_loader import find_agent, make_agent
from mlgym.errors import ModelError
from mlgym.models.base import Reply
from mlgym.models.scripted import ScriptedModel
from mlgym.tools.registry import tool_specs
from mlgym.types import ExitReason


def block(command: str, thought: str = "Look.") -> str:
    return f"{thought}\n\n```bash\n{command}\n```\n"


def test_the_last_fenced_block_is_the_action_and_the_text_before_it_the_thought(desk):
    sat = desk([says("First:\n```python\nprint(1)\n```\nthen\n```\nls -la\ncat a\n```\nDone.")])
    decision = sat.say()
    assert decision.action == "ls -la\ncat a"
    assert decision.thought == "First:\n```python\nprint(1)\n```\nthen"
    sat.check_sums()


@pytest.mark.parametrize(
    ("reply", "action"),
    [
        ("```\nls\n```", "ls"),
        ("a\n~~~sh\nls\n~~~", "ls"),
        (
            "a\n````\ncat <<'E' > R.md\n```\ncode\n```\nE\n````",
            "cat <<'E' > R.md\n```\ncode\n```\nE",
        ),
        ("a\n  ```\nls\n  ```", "ls"),
        ("a\n```\nls\n```\n```\n", "ls"),
        ("a\n```\nls\n```\n\n```\n\n```\n", "ls"),
        ("never closed\n```\nls -la", "ls -la"),
        ("a\r\n```bash\r\nls\r\n```\r\n", "ls"),
        ("a\n```\nedit 1:2\nx = 1\n\nend_of_edit\n```", "edit 1:2\nx = 1\n\nend_of_edit"),
    ],
)
def test_fences_of_many_kinds_are_read(desk, reply, action):
    assert desk([says(reply)]).say().action == action


def test_the_action_and_its_observation_make_the_history(desk):
    sat = desk([says(block("ls")), says(block("submit"))])
    sat.say()
    assert sat.say("baseline.py").action == "submit"
    assert [message["role"] for message in sat.sent()] == ["system", "user", "assistant", "user"]
    assert sat.sent()[2]["content"] == block("ls")
    assert sat.sent()[3]["content"].startswith("baseline.py\n\n[49 steps and")
    assert "tools" not in sat.server.requests[0]
    sat.check_sums()


def test_every_tool_is_explained_in_text(desk):
    sat = desk([says(block("ls"))])
    sat.say()
    for tool in tool_specs():
        assert tool.name in sat.sent()[0]["content"]
        assert tool.name == "bash" or tool.description in sat.sent()[0]["content"]


@pytest.mark.parametrize(
    "reply", [empty(), says("I think."), says("`ls`"), says("```\n\n```"), says("x" * 200_000)]
)
def test_a_reply_without_a_command_is_answered_without_a_step(desk, reply):
    sat = desk([reply, says(block("ls"))])
    assert sat.say().action == "ls"
    assert "no command" in sat.sent()[-1]["content"]
    assert len(str(sat.sent())) < 50_000
    sat.check_sums()


def test_thoughts_in_the_text_are_neither_run_nor_part_of_the_history(desk):
    thinking = "<think>Perhaps\n```\nrm -rf .\n```\n</think>\n"
    sat = desk(
        [says(thinking + block("ls")), says("<think>And\n```\nls\n```\n"), says(block("id"))]
    )
    decision = sat.say()
    assert decision.action == "ls"
    assert decision.thought.endswith("Look.")
    assert sat.say("baseline.py").action == "id"
    assert sat.sent()[2]["content"].strip() == block("ls").strip()
    sat.check_sums()


def test_thoughts_that_a_server_leaves_in_the_text_are_no_command():
    text = "Perhaps\n```\nrm -rf .\n```\n</think>\n" + block("ls")
    split = sys.modules[type(make_agent(find_agent("react"), model=ScriptedModel([]))).__module__]
    assert split.split(Reply(text)) == (text[: text.index("\n\n```bash")], "ls")
    assert split.split(Reply("<think>Perhaps\n```\nrm -rf .\n```\n"))[1] == ""


def test_what_is_left_and_the_best_score_are_told(desk):
    sat = desk([says(block("ls"))])
    sat.say(remaining_usd=0.5, best_metrics={"error": 1.5}, part_left=0.05)
    note = sat.sent()[-1]["content"]
    assert "0.50 USD left; best validation error so far: 1.5] The end is near. Hand in" in note


def test_a_function_call_that_nobody_offered_is_answered_like_an_empty_reply(desk):
    sat = desk([calls(("bash", {"command": "ls"})), says(block("ls"))])
    assert sat.say().action == "ls"


def test_a_command_that_was_cut_off_is_not_run(desk):
    sat = desk([says("a\n```\nrm -rf /wor", finish_reason="length"), says(block("ls"))])
    assert sat.say().action == "ls"
    assert "cut off" in sat.sent()[-1]["content"]


def test_too_many_malformed_replies_in_a_row_end_the_episode(desk):
    sat = desk([says("hm")] * 9, max_format_errors=3)
    assert sat.say().finish == ExitReason.FORMAT_ERRORS
    assert len(sat.server.requests) == 3
    sat.check_sums()


def test_a_good_reply_forgives_the_malformed_ones_before(desk):
    sat = desk([says("hm"), says("hm"), says(block("ls"))] * 4, max_format_errors=3)
    assert [sat.say().finish for _ in range(4)] == [None] * 4


def test_a_conversation_that_outgrows_the_window_goes_on_with_the_oldest_dropped(desk):
    sat = desk(lambda _: says(block("ls")), window=6000)
    for step in range(25):
        assert sat.say(f"{step} " + "seen " * 500).finish is None
    assert "24 seen" in sat.sent()[-1]["content"]
    assert "Predict the squares." in sat.sent()[1]["content"]
    sat.check_sums()


def test_an_overflow_that_nothing_can_mend_ends_the_episode(desk):
    assert desk(lambda _: overflow()).say().finish == ExitReason.CONTEXT_OVERFLOW


def test_rate_limits_server_errors_and_dropped_connections_are_ridden_out(desk):
    sat = desk([rate_limited(), server_error(), dropped(), says(block("ls"))])
    assert isinstance(sat.say(), Decision)
    sat.check_sums()


def test_a_failure_for_good_is_raised_but_does_not_lose_what_the_step_has_cost(desk):
    with pytest.raises(ModelError, match="bad key"):
        desk([fails(401, "bad key")]).say()
    sat = desk([says("hm"), fails(401, "bad key")])
    assert sat.say().finish == ExitReason.MODEL_ERROR
    sat.check_sums()
