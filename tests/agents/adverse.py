"""Scripts of models and servers at their worst, and how an episode under each must end.

A script is told in a `Tongue`, which says the same thing to either agent in its own language: as a
function call to `toolcaller`, as a thought and a fenced block to `react`. The task is to write a
number into `answer.txt`; validation gives the number, the test part one less.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from model_server import (
    Answer,
    calls,
    dropped,
    empty,
    fails,
    overflow,
    rate_limited,
    refuses_tools,
    says,
    server_error,
)

from mlgym.rollout import RolloutLimits
from mlgym.tools.registry import parse_action


@dataclass(frozen=True)
class Tongue:
    """How an agent is spoken to."""

    agent: str

    def do(self, action: str, **fields: Any) -> Answer:
        if self.agent == "react":
            return says(f"So.\n\n````\n{action}\n````", **fields)
        call = parse_action(action)
        return Answer("So.", calls((call.name, call.arguments)).calls, **fields)

    def both(self, function: Answer, text: str) -> Answer:
        """One of two, where the languages have nothing in common."""
        return function if self.agent == "toolcaller" else says(text)

    @property
    def good(self) -> Answer:
        return self.do("echo 6 > answer.txt")

    @property
    def better(self) -> Answer:
        return self.do("echo 8 > answer.txt")

    @property
    def validate(self) -> Answer:
        return self.do("validate")

    @property
    def submit(self) -> Answer:
        return self.do("submit")


Tell = Callable[[Tongue], Iterator[Answer]]


@dataclass(frozen=True)
class Case:
    """`ends`: exit reason, and the test score or None; by agent where the two differ."""

    tell: Tell
    ends: Mapping[str, tuple[str, float | None]]
    limits: RolloutLimits = field(default_factory=RolloutLimits)
    model: Mapping[str, Any] = field(default_factory=dict[str, Any])
    server: Mapping[str, Any] = field(default_factory=dict[str, Any])
    hurried: bool = False


CASES: dict[str, Case] = {}


def case(
    exit_reason: str,
    value: float | None,
    *,
    react: tuple[str, float | None] | None = None,
    **fields: Any,
) -> Callable[[Tell], Tell]:
    """Adds a script to the table under its function's name."""

    def add(tell: Tell) -> Tell:
        ends = {"toolcaller": (exit_reason, value), "react": react or (exit_reason, value)}
        CASES[tell.__name__] = Case(tell, ends, **fields)
        return tell

    return add


def ever(*answers: Answer) -> Iterator[Answer]:
    return itertools.cycle(answers)


def amid(name: str, *wrong: Answer, by: Callable[[Tongue], list[Answer]] | None = None) -> None:
    """Adds a script in which what goes wrong does so in the middle of good work."""

    def tell(t: Tongue) -> Iterator[Answer]:
        yield from [*wrong[:1], t.good, *(by(t) if by else wrong), t.submit]

    tell.__name__ = name
    case("submitted", 5.0)(tell)


def only(name: str, answer: Answer, exit_reason: str, value: float | None = None) -> None:
    """Adds two scripts: nothing else from the start, and nothing else after a validation."""

    def from_the_start(_: Tongue) -> Iterator[Answer]:
        yield from ever(answer)

    def after_work(t: Tongue) -> Iterator[Answer]:
        yield from [t.good, t.validate, *[answer] * 60]

    from_the_start.__name__, after_work.__name__ = f"{name}_ever", f"{name}_after_work"
    case(exit_reason, None)(from_the_start)
    case(exit_reason, value)(after_work)


# What the model says ---------------------------------------------------------------------------

REFUSAL = says("I'm sorry, but I can't help with that.")
LONG = "x" * 300_000
TORN = Answer("lost", usage=False, cut=True)
SLOW = Answer("late", usage=False, delay_s=0.5)

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


# What the window does --------------------------------------------------------------------------

only("an_overflow", overflow(), "context_overflow", 5.0)
only("a_payload_too_large", fails(413, "Payload too large"), "context_overflow", 5.0)
amid("an_overflow_once", by=lambda t: [t.do("seq 2000"), overflow(), t.do("ls")])
BIG = "head -c 1000000 /dev/zero | tr '\\0' y"


@case("submitted", 5.0)
def a_megabyte_of_output_each_step(t):
    yield from [t.good, *[t.do(BIG)] * 5, t.submit]


@case("submitted", 5.0, server={"window": 6000})
def a_megabyte_of_output_each_step_in_a_small_window(t):
    yield from [t.good, *[t.do(BIG)] * 6, t.submit]


@case("submitted", 5.0, server={"window": 6000}, model={"context_window": 6000})
def a_megabyte_of_output_in_a_window_known_beforehand(t):
    yield from [t.good, *[t.do(BIG)] * 6, t.submit]


@case("context_overflow", None, server={"window": 100})
def a_window_too_small_for_the_brief(t):
    yield from ever(t.good)


# What the server does --------------------------------------------------------------------------

NO_QUOTA = fails(429, "You exceeded your current quota", "insufficient_quota")
only("bad_keys", fails(401, "Incorrect API key provided"), "model_error")
only("storms_of_429", rate_limited("0"), "model_error")
only("errors_500", server_error(), "model_error")
only("spent_quotas", NO_QUOTA, "model_error")
only("dropped_connections", dropped(), "model_error")
only("refused_parameters", fails(400, "Unknown parameter: 'seed'"), "model_error")
amid("a_storm_of_429", *[rate_limited("0")] * 4)
amid("a_429_that_names_a_date", rate_limited("Fri, 31 Dec 1999 23:59:59 GMT"))
amid("some_500s", *[server_error()] * 4)
amid("a_proxy_s_page", Answer(body=b"<html>Bad gateway</html>", status=502))
amid("overloads", fails(503, "overloaded"), fails(529, "overloaded_error"))
amid("a_connection_dropped", dropped(), dropped())
amid("an_answer_torn_in_the_middle", TORN, TORN)
amid("a_body_that_is_no_json", Answer(body=b"{broken"), Answer(body=b""))
amid("an_answer_without_choices", Answer(body=b'{"id": "1", "choices": []}'))


@case("submitted", 5.0, model={"timeout_s": 0.2})
def a_request_that_times_out(t):
    yield from [SLOW, t.good, SLOW, SLOW, t.submit]


@case("model_error", None, model={"timeout_s": 0.2, "retries": 1})
def requests_that_time_out_for_ever(t):
    yield from [t.good, t.validate, *[SLOW] * 9]


@case("model_error", None)
def a_wait_longer_than_anybody_has(t):
    yield from [t.good, rate_limited("86400")]


@case("submitted", 5.0, react=("submitted", 5.0))
def tools_refused_at_first(t):
    plain = Tongue("react")
    if t.agent == "toolcaller":
        yield refuses_tools()
    yield from [plain.good, plain.submit]


@case("model_error", None, react=("submitted", 5.0))
def tools_refused_later_on(t):
    yield from [t.good, *([refuses_tools()] if t.agent == "toolcaller" else []), t.submit]


@case("wall_time", 5.0, hurried=True)
def time_runs_out(t):
    yield t.good
    yield from ever(t.do("sleep 0.6"))


# What it may cost ------------------------------------------------------------------------------

TOKENS = (1000, 100)
PRICE = (1000.0, 0.0)
"""At these every request costs a dollar and 1,100 tokens, where a case has limits."""


def _work(t: Tongue) -> Iterator[Answer]:
    two = calls(("bash", {"command": "echo 8 > answer.txt"}), ("bash", {"command": "ls"}))
    yield from [t.good, REFUSAL, t.validate]
    yield two if t.agent == "toolcaller" else t.better
    yield from [t.validate, t.submit]


def _nothing_but_prose(t: Tongue) -> Iterator[Answer]:
    yield from [t.good, *[REFUSAL] * 9]


def limited(name: str, script: Tell, *values: float, submits: bool = False) -> None:
    """Adds a script under limits reached by its first request, its second, and so on."""
    for number, value in enumerate(values, 1):
        for kind, limit in (
            ("cost", RolloutLimits(cost_usd=number - 0.5)),
            ("token", RolloutLimits(tokens=number * sum(TOKENS) - 50)),
        ):
            reason = "submitted" if submits and number == len(values) else f"{kind}_limit"
            ends = dict.fromkeys(("toolcaller", "react"), (reason, value))
            CASES[f"{name}_{kind}_limit_{number}"] = Case(
                script, ends, limits=limit, server={"tokens": TOKENS}
            )


limited("work_under_a", _work, 5.0, 5.0, 5.0, 5.0, 7.0, 7.0, submits=True)
limited("prose_under_a", _nothing_but_prose, 5.0, 5.0, 5.0)
