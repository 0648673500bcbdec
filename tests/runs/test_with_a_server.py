"""Whole episodes driven by a model at a real server on loopback, well-behaved and not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from model_server import (
    Answer,
    ModelServer,
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

from mlgym.config import RunConfig
from mlgym.rollout import Outcome
from mlgym.runs.single import check, make_env, run_episode
from mlgym.runs.store import RunFolder

WRITE, VALIDATE, SUBMIT = "echo 6 > answer.txt", "validate", "submit"


def tool(name: str, **arguments: str) -> Answer:
    return calls((name, arguments), text="so")


def fenced(command: str) -> Answer:
    return says(f"I think so.\n\n```\n{command}\n```")


GOOD = {
    "toolcaller": [tool("bash", command=WRITE), tool("validate"), tool("submit")],
    "react": [fenced(WRITE), fenced(VALIDATE), fenced(SUBMIT)],
}
LONG = "x" * 200_000
BAD = {
    "toolcaller": [
        rate_limited(),
        server_error(),
        dropped(),
        empty(),
        says("I will now write the answer."),
        calls(("nonsense", {})),
        tool("bash", command="ls"),
        calls(("bash", '{"command": ')),
        calls(("bash", {"cmd": "ls"})),
        says(LONG),
        tool("bash", command=WRITE),
        calls(("bash", {"command": "head -c 100000 /dev/zero | tr '\\0' y"}), ("validate", {})),
        Answer(body=b"<html>a proxy's page</html>", status=502),
        overflow(),
        tool("bash", command="echo more"),
        fails(503, "overloaded"),
        tool("submit"),
    ],
    "react": [
        rate_limited(),
        server_error(),
        dropped(),
        empty(),
        says("I will now write the answer."),
        says("```\n\n```"),
        says(LONG),
        fenced("edit 1:2\nno end"),
        fenced(WRITE),
        fenced("head -c 100000 /dev/zero | tr '\\0' y"),
        overflow(),
        fenced(VALIDATE),
        Answer(body=b"{broken", status=200),
        fenced(SUBMIT),
    ],
}


def run(
    task: Path, agent: str, server: ModelServer, out: Path, **fields: Any
) -> tuple[RunFolder, dict[str, Any], Outcome]:
    config = RunConfig.make(
        task=str(task),
        agent=agent,
        model="openai/tester",
        api_base=server.url,
        price=(10.0, 20.0),
        sandbox="bubblewrap",
        out=out,
        **fields,
    )
    found = check(config)
    return run_episode(config, found, make_env(config, found))


def adds_up(record: dict[str, Any], server: ModelServer) -> None:
    usage = record["usage"]
    assert usage["input_tokens"] == server.input_tokens
    assert usage["output_tokens"] == server.output_tokens
    cost = (10 * server.input_tokens + 20 * server.output_tokens) / 1e6
    assert usage["cost_usd"] == pytest.approx(cost)


@pytest.mark.parametrize("agent", ["toolcaller", "react"])
def test_a_well_behaved_model_reaches_its_score(
    number_task: Path, tmp_path: Path, agent: str
) -> None:
    with ModelServer(GOOD[agent]) as server:
        folder, record, _ = run(number_task, agent, server, tmp_path)
        adds_up(record, server)
    assert (record["status"], record["exit_reason"], record["steps"]) == ("scored", "submitted", 3)
    assert record["score"]["metrics"] == {"value": 5.0}
    assert record["usage"]["calls"] == 3
    steps = folder.transitions()
    assert [step.tool for step in steps] == ["reset", "bash", "validate", "submit"]
    assert all(step.thought for step in steps[1:])
    entries = [json.loads(line) for line in (folder.path / "model.jsonl").open()]
    assert [entry["kind"] for entry in entries] == ["request", "reply"] * 3
    assert entries[2]["kept"] >= 1


@pytest.mark.parametrize("agent", ["toolcaller", "react"])
def test_a_misbehaving_server_and_model_lose_no_episode(
    number_task: Path, tmp_path: Path, agent: str
) -> None:
    with ModelServer(BAD[agent]) as server:
        _, record, outcome = run(number_task, agent, server, tmp_path)
        adds_up(record, server)
    assert (record["status"], record["exit_reason"]) == ("scored", "submitted"), outcome.error
    assert record["score"]["metrics"] == {"value": 5.0}
    assert record["usage"]["calls"] == server.answers


@pytest.mark.parametrize("agent", ["toolcaller", "react"])
@pytest.mark.parametrize(
    ("answer", "reason", "status"),
    [
        (says("no"), "format_errors", "unscored"),
        (overflow(), "context_overflow", "unscored"),
        (fails(401, "Incorrect API key provided"), "model_error", "infrastructure_failure"),
    ],
)
def test_what_cannot_be_mended_ends_with_its_reason(
    number_task: Path, tmp_path: Path, agent: str, answer: Answer, reason: str, status: str
) -> None:
    with ModelServer(lambda _: answer) as server:
        _, record, _ = run(number_task, agent, server, tmp_path)
    assert (record["exit_reason"], record["status"]) == (reason, status)


@pytest.mark.parametrize(
    ("agent", "options"), [("toolcaller", {}), ("tree_search", {"max_steps": 4})]
)
def test_a_server_that_refuses_tools_is_met_in_plain_text(
    number_task: Path, tmp_path: Path, agent: str, options: dict[str, int]
) -> None:
    plain = iter(GOOD["react"])

    def answer(request: dict[str, Any]) -> Answer:
        return refuses_tools() if request.get("tools") else next(plain)

    with ModelServer(answer) as server:
        folder, record, _ = run(number_task, agent, server, tmp_path, **options)
    assert (record["status"], record["exit_reason"]) == ("scored", "submitted")
    assert "plain text" in (folder.path / "log.txt").read_text()


@pytest.mark.parametrize(
    ("limit", "reason"),
    [({"cost_limit": 0.001}, "cost_limit"), ({"token_limit": 100}, "token_limit")],
)
def test_limits_end_an_episode_by_the_rule(
    number_task: Path, tmp_path: Path, limit: dict[str, float], reason: str
) -> None:
    script = [tool("bash", command=WRITE), *[tool("bash", command="true")] * 50]
    with ModelServer(script) as server:
        _, record, _ = run(number_task, "toolcaller", server, tmp_path, **limit)
    assert record["exit_reason"] == reason
    assert record["steps"] < 20
