"""Ten steps by a real language model, in this process and at a real server: each ends recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlgym.config import RunConfig
from mlgym.models.transformer import Transformer
from mlgym.runs.sft import chats
from mlgym.runs.single import check, make_env, run_episode
from mlgym.runs.store import RunFolder

pytestmark = pytest.mark.timeout(1200)
STEPS = 10
ENDS = {"max_steps", "submitted", "forfeited"}


def played(task: Path, out: Path, **fields: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The record of an episode and what the model was asked and answered."""
    config = RunConfig.make(
        task=str(task), sandbox="bubblewrap", max_steps=STEPS, seed=1, out=out, **fields
    )
    found = check(config)
    folder, record, outcome = run_episode(config, found, make_env(config, found))
    assert outcome.error == ""
    assert json.loads((folder.path / "run.json").read_text()) == record
    assert len(folder.transitions()) == record["steps"] + 1 + (record["exit_reason"] not in ENDS)
    entries = [json.loads(line) for line in (folder.path / "model.jsonl").open()]
    return record, entries


def agrees(record: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    """The record's sums are those of the replies, each counted by who gave it."""
    replies = [entry for entry in entries if entry["kind"] == "reply"]
    assert len(replies) == record["usage"]["calls"] >= record["steps"]
    assert not any(reply["estimated"] for reply in replies)
    for key in ("input_tokens", "cached_tokens", "output_tokens"):
        assert sum(reply["usage"][key] for reply in replies) == record["usage"][key]
    assert record["usage"]["input_tokens"] > record["usage"]["cached_tokens"] > 0
    # Nobody said what it costs, so it is not free.
    assert record["usage"]["cost_usd"] is None


def ended(record: dict[str, Any]) -> None:
    assert record["status"] in ("scored", "unscored")
    assert record["exit_reason"] in ENDS
    assert record["steps"] == STEPS or record["exit_reason"] != "max_steps"


def test_the_model_in_this_process_finishes_an_episode(
    number_task: Path, tmp_path: Path, weights: Path, small_agent: str
) -> None:
    record, entries = played(number_task, tmp_path, agent=small_agent, model="local/smollm2")
    print(json.dumps(record, indent=2))
    ended(record)
    agrees(record, entries)


def test_an_export_has_the_tokens_that_the_model_counted(
    number_task: Path, tmp_path: Path, weights: Path, small_agent: str
) -> None:
    record, entries = played(number_task, tmp_path, agent=small_agent, model="local/smollm2")
    counted = [entry["usage"]["input_tokens"] for entry in entries if entry["kind"] == "reply"]
    template = Transformer(weights)
    run = RunFolder(tmp_path / record["run_id"])
    rows = list(chats(run, each_reply=True))
    prompts = [tokens(template, row["prompt"]) for row in rows]
    assert [len(prompt) for prompt in prompts] == counted
    # What is trained on is what follows the prompt, and nothing of the prompt is.
    for row, prompt in zip(rows, prompts, strict=True):
        whole = tokens(template, [*row["prompt"], *row["completion"], {"role": "user"}])
        assert whole[: len(prompt)] == prompt
    # Joined to conversations they are the same replies, each to be trained on once.
    trained = [
        message["content"]
        for row in chats(run)
        for message in row["messages"]
        if message["role"] == "assistant" and message.get("weight") != 0
    ]
    assert trained == [row["completion"][0]["content"] for row in rows]


def tokens(template: Transformer, messages: list[dict[str, Any]]) -> list[int]:
    return template.encoded([(each["role"], each.get("content", "")) for each in messages])


def test_the_model_at_a_real_server_finishes_an_episode(
    number_task: Path, tmp_path: Path, llama_server: str, small_agent: str
) -> None:
    record, entries = played(
        number_task,
        tmp_path,
        agent=small_agent,
        model="openai/smollm2",
        api_base=llama_server,
        context_window=8192,
    )
    print(json.dumps(record, indent=2))
    ended(record)
    agrees(record, entries)


def test_a_real_server_that_refuses_tools_is_met_in_plain_text(
    number_task: Path, tmp_path: Path, llama_server: str
) -> None:
    record, entries = played(
        number_task,
        tmp_path,
        agent="toolcaller",
        model="openai/smollm2",
        api_base=llama_server,
        context_window=8192,
        token_limit=20_000,
    )
    assert entries[1]["kind"] == "failure"
    assert any(entry["kind"] == "reply" for entry in entries)
    assert record["status"] in ("scored", "unscored")
