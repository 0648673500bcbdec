"""What models say at their worst: see `adverse`."""

from __future__ import annotations

from dataclasses import replace

from adverse import REFUSAL, amid, case, ever, only
from model_server import Answer, calls, empty, says

LONG = "x" * 300_000

only("refusals", REFUSAL, "format_errors", 5.0)
only("empty_replies", empty(), "format_errors", 5.0)
only("endless_prose", says("Next I would train a better model. " * 9), "format_errors", 5.0)
only("filtered_replies", Answer(None, finish_reason="content_filter"), "format_errors", 5.0)
only("thoughts_that_never_end", says("<think>Let me see.\n" * 50), "format_errors", 5.0)
amid("a_refusal", REFUSAL, REFUSAL)
amid("an_empty_reply", empty())
amid("a_reply_of_300_kb", says(LONG), says(LONG))
amid("a_reply_cut_off", says("I will now", finish_reason="length"))
amid("strange_characters", says("\u202e\u0000 \ud800 \U0001f600"))


@case("format_errors", 5.0)
def prose_after_an_answer_that_was_never_validated(t):
    yield from [t.good, *[says("Done! The answer is written.")] * 9]


@case("max_steps", None)
def endless_ls(t):
    yield from ever(t.do("ls"))


@case("max_steps", 5.0)
def endless_ls_after_work(t):
    yield from [t.good, t.validate, *[t.do("ls")] * 50]


@case("max_steps", None)
def edits_that_fail_for_ever(t):
    yield t.do("create a.py\n<<A\ndef f():\n    return 1\nA")
    yield from ever(t.do("edit 7:9\nx\nend_of_edit"), t.do("edit 2:2\nreturn (\nend_of_edit"))


@case("max_steps", None)
def edits_without_an_open_file_for_ever(t):
    yield from ever(t.do("edit 1:1\nx\nend_of_edit"))


@case("max_steps", 5.0)
def validation_for_ever(t):
    yield t.good
    yield from ever(t.validate, t.do("true"))


@case("max_steps", None)
def invalid_validations_for_ever(t):
    yield t.do("echo six > answer.txt")
    yield from ever(t.validate, t.do("true"))


@case("max_steps", 7.0)
def a_forgotten_submit(t):
    yield from [t.good, t.validate, t.better, t.validate, *[t.do("true")] * 50]


@case("max_steps", 5.0)
def a_forgotten_validate_and_submit(t):
    yield t.good
    yield from ever(t.do("cat answer.txt"))


@case("max_steps", 7.0)
def worse_after_the_best_and_never_submitted(t):
    yield from [t.better, t.validate, t.good, t.validate]
    yield from ever(t.do("rm -f answer.txt"))


@case("submitted", 5.0)
def worse_after_the_best_and_submitted(t):
    yield from [t.better, t.validate, t.good, t.submit]


@case("submitted", None)
def a_submit_of_nothing(t):
    yield t.submit


@case("submitted", None)
def a_submit_of_nonsense(t):
    yield from [t.do("echo six > answer.txt"), t.submit]


@case("forfeited", None)
def a_forfeit(t):
    yield from [t.good, t.validate, t.do("forfeit")]


@case("format_errors", None, react=("max_steps", None))
def wrong_tool_names_for_ever(t):
    yield from ever(t.both(calls(("run_python", {"code": "1"})), "```\nrun_python 1\n```"))


@case("format_errors", None)
def broken_json_and_empty_fences_for_ever(t):
    yield from ever(t.both(calls(("bash", '{"command": "ls')), "```\n\n```"))


WRONG = {
    "wrong_tool_names": [
        (calls(("python", {"code": "1"})), "```\npyton 1\n```"),
        (calls(("", {})), "```\n;;\n```"),
        (calls(("bash; rm -rf", {})), "```\nsumbit\n```"),
    ],
    "broken_json": [
        (calls(("bash", '{"command": "ls')), "```bash"),
        (calls(("bash", "ls -la")), "`ls -la`"),
        (calls(("bash", '{"command": "ls"}}')), "```\n```\n```\n```"),
    ],
    "arguments_that_are_no_object": [
        (calls(("bash", "[1]")), "$ ls"),
        (calls(("bash", "null")), "ls"),
        (calls(("bash", '"ls"')), '{"command": "ls"}'),
    ],
    "unknown_arguments": [
        (calls(("bash", {"cmd": "ls"})), "```\nopen a b c d\n```"),
        (calls(("validate", {"split": "test"})), "```\nvalidate --split test\n```"),
        (calls(("submit", {"path": "/answers"})), "```\nsubmit && ls\n```"),
    ],
    "missing_arguments": [
        (calls(("open", {})), "```\nopen\n```"),
        (calls(("edit", {"start": 1})), "```\nedit\n```"),
        (calls(("edit", "")), "```\nedit 1:1\n```"),
    ],
    "arguments_of_wrong_types": [
        (calls(("open", {"path": 3})), "```\nopen a.py three\n```"),
        (
            calls(("edit", {"start": -1, "end": "x", "text": ""})),
            "```\nedit -1:x\nend_of_edit\n```",
        ),
        (calls(("goto", {"line": 1e300})), "```\ngoto 1e300\n```"),
    ],
}
for _name, _pairs in WRONG.items():
    amid(_name, by=lambda t, pairs=_pairs: [t.both(*pair) for pair in pairs])

amid("a_command_of_300_kb", by=lambda t: [t.do(f"cat > f <<'E'\n{LONG}\nE")] * 2)
amid("a_file_of_300_kb", by=lambda t: [t.do(f"create f\n<<A\n{LONG}\nA"), t.do("wc -c f")])
amid("an_action_beyond_the_bound", by=lambda t: [t.do("echo " + "x" * 1_100_000)])
amid("a_nul_in_a_command", by=lambda t: [t.do("echo \0"), t.do("echo a\0b")])
amid("a_bomb_of_brackets", replace(calls(("bash", "[" * 3_000)), usage=False))
amid("a_command_that_waits_for_input", by=lambda t: [t.do("cat"), t.do("python3")])
amid("a_command_that_hangs", by=lambda t: [t.do("sleep 60"), t.do("echo on")])
amid("the_shell_killed", by=lambda t: [t.do("kill -9 $$"), t.do("exit 3"), t.do("exec false")])
amid("binary_output", by=lambda t: [t.do("head -c 5000 /dev/urandom | tr '\\0' x >&2")])
amid("a_task_s_files_removed", by=lambda t: [t.do("rm -rf /workspace/* ~; echo 6 > answer.txt")])
amid("all_in_thoughts_first", by=lambda t: [Answer(f"<think>{LONG}</think>", t.good.calls)])


@case("submitted", 5.0)
def twenty_calls_in_one_reply(t):
    many = [("bash", {"command": "true"})] * 5 + [("nope", {})] * 14
    yield t.good
    yield t.both(calls(*many, ("bash", {"command": "true"})), "```\nfalse\n```\n" * 20)
    yield t.submit


@case("submitted", 5.0)
def calls_after_a_submit_in_the_same_reply(t):
    yield t.good
    yield (
        t.both(
            calls(("submit", {}), ("bash", {"command": "rm answer.txt"})),
            "```\nrm answer.txt\n```\n```\nsubmit\n```",
        )
        if t.agent == "toolcaller"
        else t.submit
    )


@case("submitted", 5.0, react=("submitted", 5.0))
def calls_and_fences_mixed(t):
    yield t.both(
        calls(("bash", {"command": "echo 6 > answer.txt"}), text="```\nrm -rf /workspace\n```"),
        "```json\n{}\n```\nnow\n```\necho 6 > answer.txt\n```",
    )
    yield t.submit
