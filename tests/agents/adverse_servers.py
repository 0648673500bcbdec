"""What windows, servers and limits do at their worst: see `adverse`."""

from __future__ import annotations

from collections.abc import Iterator

from adverse import CASES, REFUSAL, Case, Tell, Tongue, amid, case, ever, only
from model_server import (
    Answer,
    calls,
    dropped,
    fails,
    overflow,
    rate_limited,
    refuses_tools,
    server_error,
)

from mlgym.rollout import RolloutLimits

TORN = Answer("lost", usage=False, cut=True)
SLOW = Answer("late", usage=False, delay_s=0.5)

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
