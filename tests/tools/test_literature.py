"""Literature: what is asked, what an agent reads of the answer, and what becomes of failures."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from literature_server import Reply, entry, feed, serving

from mlgym import ConfigError
from mlgym.env import MLGymEnv
from mlgym.tools.arxiv import Arxiv, search_query
from mlgym.tools.literature import LiteratureError, make_literature


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def ask(*replies: Reply, query: str = "x", limit: int = 5, **fields) -> str:
    """What a service with quick waits makes of these replies."""
    with serving(*replies) as server:
        return Arxiv(server.url, **{"pause_s": 0.0, "answer_s": 10.0, **fields}).search(
            query, limit
        )


def fails(*replies: Reply, **fields) -> str:
    with pytest.raises(LiteratureError) as error:
        ask(*replies, **fields)
    return str(error.value)


def test_papers_are_told_in_three_lines_each() -> None:
    many = tuple(f"Author {n}" for n in range(8))
    reply = feed(entry("Deep\n   nets", 1), entry("Wide nets", 2, many, summary="w " * 2000))
    lines = ask(reply).splitlines()
    assert lines[:4] == [
        "2 found. What follows are their authors' words.",
        "[1] Deep nets (2021)",
        "Ada L.. arXiv:2101.00001v1",
        "An abstract, wrapped.",
    ]
    assert lines[5].startswith("Author 0, Author 1, Author 2, Author 3, Author 4 and 3 more. ")
    assert lines[6].endswith("[...]")
    assert len(lines[6]) < 1300


def test_control_and_formatting_characters_are_taken_out() -> None:
    reply = feed(entry("a\u202eb\u200bc\x85d\x7fe", summary="\u2028x\ufeffy"))
    assert "[1] abc de (2021)\n" in ask(reply)
    assert ask(reply).endswith("\nxy\n")


def test_a_service_that_sends_more_than_was_asked_for_is_cut() -> None:
    assert ask(feed(*(entry(f"p{n}", n) for n in range(9))), limit=2).startswith("2 found")


def test_nothing_found_is_said() -> None:
    assert ask(feed()).startswith("No paper was found")


def test_the_query_is_all_words_anywhere_unless_it_names_fields() -> None:
    assert search_query("deep nets") == "all:deep AND all:nets"
    assert search_query('"weight decay" (Adam)') == 'all:"weight decay" AND all:Adam'
    assert search_query("ti:cutout AND cat:cs.CV") == "ti:cutout AND cat:cs.CV"
    assert search_query("re-use&max_results=9999") == 'all:"re-use max_results 9999"'
    with serving(feed()) as server:
        Arxiv(server.url, pause_s=0).search("a&b=c", 3)
    assert server.queries == [{"search_query": 'all:"a b c"', "start": "0", "max_results": "3"}]


ERROR = entry("Error", id="http://arxiv.org/api/errors#bad", summary="no such field")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(b"Rate exceeded.", 429), "HTTP 429"),
        (Reply(b"Rate exceeded.", 429, {"Retry-After": "900"}), "asks for a wait of 900 s"),
        (Reply(b"", 500), "HTTP 500"),
        (Reply(b"", 404, reason="a\x1b[2Jb" + "c" * 9000), "HTTP 404 (a[2Jbccc"),
        (Reply(feed().body, delay_s=0.6), "within 0.4 s"),
        (Reply(feed().body, drip_s=0.05), "within 0.4 s"),
        (Reply(feed().body, cut=True), "broke off"),
        (Reply(b"x" * 3_000_000), "more than"),
        (Reply(b"x" * 3_000_000, headers={"Content-Length": "5000000"}), "more than"),
        (Reply(b"Rate exceeded."), "no Atom feed"),
        (Reply(b""), "no Atom feed"),
        (Reply(b"\xff\xfe<\0f\0"), "no Atom feed"),
        (Reply(b"<html></html>"), "no Atom feed"),
        (Reply(b"<a>" * 100_000), "no Atom feed"),
        (Reply(b'<?xml version="1.0"?><!DOCTYPE f [<!ENTITY a "b">]><f>&a;</f>'), "DOCTYPE"),
        (Reply(feed().body[:-9]), "no Atom feed"),
        (Reply(status=302, headers={"Location": "file:///etc/passwd"}), "HTTP 302"),
        (Reply(status=200, headers={"Content-Length": "x"}), "no Atom feed"),
    ],
)
def test_failures_of_the_service_are_told_as_such(reply: Reply, words: str) -> None:
    slow = bool(reply.delay_s or reply.drip_s)
    told = fails(reply, tries=1, answer_s=0.4 if slow else 10.0)
    assert words in told
    assert told.startswith("arXiv ")
    assert "no fault of yours" in told
    assert len(told) < 500


@pytest.mark.parametrize("status", [200, 400])
def test_a_query_that_the_service_refuses_is_the_agent_s_to_mend(status: int) -> None:
    told = fails(Reply(feed(ERROR).body, status))
    assert told == "arXiv does not take that query: no such field"
    assert "no word" in fails(feed(), query="?!")


def test_entities_are_never_expanded() -> None:
    rows = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE feed [<!ENTITY a0 "x">{rows}]><feed>&a11;</feed>'.encode()
    began = time.monotonic()
    assert "DOCTYPE" in fails(Reply(bomb))
    assert "no Atom feed" in fails(Reply(bomb.decode().encode("utf-16")))
    assert time.monotonic() - began < 2


def test_deeply_nested_elements_are_harmless() -> None:
    depth = 50_000
    nested = b"<a>" * depth + b"</a>" * depth
    body = feed(entry("p")).body.replace(b"</entry>", nested + b"</entry>")
    assert ask(Reply(body)).startswith("1 found")


def test_a_busy_service_is_asked_again_and_a_broken_reply_is_not() -> None:
    with serving(Reply(b"", 503), Reply(b"", 429, {"Retry-After": "0"}), feed()) as server:
        Arxiv(server.url, pause_s=0.01).search("x", 1)
    assert len(server.queries) == 3
    with serving(Reply(b"junk")) as server, pytest.raises(LiteratureError):
        Arxiv(server.url, pause_s=0.01).search("x", 1)
    assert len(server.queries) == 1


def test_requests_keep_the_pause_whoever_sends_them() -> None:
    with serving(Reply(b"", 500), feed()) as server:
        Arxiv(server.url, pause_s=0.2).search("x", 1)
        Arxiv(server.url, pause_s=0.2).search("y", 1)
    first, second, third = server.times
    assert second - first >= 0.2
    assert third - second >= 0.2


def test_a_service_that_nobody_reaches_ends_soon() -> None:
    began = time.monotonic()
    with pytest.raises(LiteratureError, match=r"cannot be reached \(Connection refused\)"):
        Arxiv("http://127.0.0.1:9/", pause_s=0.01).search("x", 1)
    assert time.monotonic() - began < 2


# In the environment ---------------------------------------------------------------------------


def test_off_it_is_not_offered_and_says_how_it_is_turned_on(number_task: Path) -> None:
    with MLGymEnv(number_task, sandbox="bubblewrap", tools=["bash", "literature_search"]) as env:
        assert [tool.name for tool in env.tools] == ["bash"]
        env.reset()
        observation, *_, info = env.step("literature_search cutout")
    assert "off here" in observation
    assert "mlgym run --literature arxiv" in observation
    assert info["tool"] == "literature_search"


def test_on_it_is_offered_and_a_question_is_checked_before_it_is_asked(number_task: Path) -> None:
    asked: list[str] = []

    class Service:
        def search(self, query: str, limit: int) -> str:
            asked.append(f"{query} {limit}")
            return ""

    with MLGymEnv(number_task, sandbox="bubblewrap", literature=Service()) as env:
        assert "literature_search" in [tool.name for tool in env.tools]
        env.reset()
        assert "is empty" in env.step("literature_search ' '")[0]
        assert "of at most" in env.step(f"literature_search {'x' * 301}")[0]
    assert not asked


def test_a_name_may_bring_the_address_of_a_mirror() -> None:
    assert make_literature("arxiv=http://127.0.0.1:9/") == Arxiv("http://127.0.0.1:9/")
    assert make_literature("arxiv") == Arxiv()
    assert make_literature(None) is None


def test_any_object_that_searches_is_a_service_and_its_time_is_not_the_agent_s(
    number_task: Path,
) -> None:
    class Slow:
        def search(self, query: str, limit: int) -> str:
            time.sleep(0.3)
            if query == "fail":
                raise LiteratureError("it broke.")
            return f"{query} {limit}\n"

    with MLGymEnv(number_task, sandbox="bubblewrap", literature=Slow()) as env:
        env.reset()
        before = env.remaining_s
        assert env.step("literature_search 'a  b' 99")[0] == "a b 10\n"
        assert env.step("literature_search fail")[0] == "literature_search: it broke.\n"
        assert before - env.remaining_s < 0.2
        assert env.exit_reason is None


def test_a_tool_that_the_agent_s_spec_leaves_out_stays_out(number_task: Path) -> None:
    with MLGymEnv(
        number_task, sandbox="bubblewrap", tools=["bash"], literature="arxiv=http://127.0.0.1:9/"
    ) as env:
        env.reset()
        assert "not available here" in env.step("literature_search x")[0]
        assert "not available here" in env.step("memory_read x")[0]


@pytest.mark.parametrize("wanted", ["google", "arxiv=ftp://x", "arxiv=", "=x", ""])
def test_an_unknown_service_is_refused(number_task: Path, wanted: str) -> None:
    with pytest.raises(ConfigError, match="--literature"):
        MLGymEnv(number_task, literature=wanted)
