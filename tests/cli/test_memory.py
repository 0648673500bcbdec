"""`mlgym run --memory` and `--literature`: what the next run knows, and what a replay asks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from literature_server import entry, feed, serving

Mlgym = Callable[..., Any]
AGENT = """\
from pathlib import Path
from mlgym import Decision


class Agent:
    def reset(self, brief, tools):
        self.left = Path("actions.txt").read_text().splitlines()
        Path("tools.txt").write_text(" ".join(tool.name for tool in tools))

    def act(self, observation):
        return Decision(self.left.pop(0))
"""


@pytest.fixture
def play(mlgym: Mlgym, tmp_path: Path, number_task: Path, monkeypatch: pytest.MonkeyPatch):
    """Plays these actions; gives the run's record and its observations."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "keeper.py").write_text(AGENT)

    def run(actions: list[str], *options: object) -> tuple[dict, list[str]]:
        (tmp_path / "actions.txt").write_text("\n".join(actions))
        command = ("run", "--task", number_task, "--agent", "keeper:Agent", "--json")
        record = json.loads(mlgym(*command, "--sandbox", "bubblewrap", *options).out)
        lines = (tmp_path / "runs" / record["run_id"] / "trajectory.jsonl").read_text()
        return record, [json.loads(line)["observation"] for line in lines.splitlines()]

    return run


def test_a_run_reads_what_an_earlier_one_wrote_and_its_replay_asks_nobody(
    play, mlgym: Mlgym, tmp_path: Path
) -> None:
    memory = tmp_path / "memory"
    play(["memory_write 'ten is best'", "submit"], "--memory", memory)
    actions = ["memory_read best", "memory_write 'a second'", "memory_read second"]
    with serving(feed(entry("Nets"))) as server:
        options = ("--literature", f"arxiv={server.url}", "--max-steps", 4)
        record, seen = play([*actions, "literature_search nets"], "--memory", memory, *options)
    assert "ten is best" in seen[1]
    assert "[1] Nets (2021)" in seen[4]
    assert "The episode is over (max_steps)" in seen[4]
    assert "literature_search" in (tmp_path / "tools.txt").read_text()
    assert record["config"]["literature"] == f"arxiv={server.url}"
    assert record["config"]["memory"] == str(memory)
    assert [json.loads(line)["text"] for line in (memory / "notes.jsonl").open()] == [
        "ten is best",
        "a second",
    ]
    shutil.rmtree(memory)
    told = mlgym("replay", record["run_id"], "--json")
    assert json.loads(told.out)["differences"] == []
    assert told.code == 0
    assert not memory.exists()


def test_off_is_what_a_run_says_where_nothing_was_asked_for(play, tmp_path: Path) -> None:
    record, seen = play(["literature_search nets", "submit"])
    assert "off here" in seen[1]
    assert "literature_search" not in (tmp_path / "tools.txt").read_text()
    assert (record["config"]["literature"], record["config"]["memory"]) == (None, None)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--literature", "google"), "no service 'google'"),
        (("--memory", "actions.txt"), "expected a folder"),
    ],
)
def test_what_cannot_be_had_is_exit_code_2(
    mlgym: Mlgym, number_task: Path, tmp_path: Path, monkeypatch, options, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "actions.txt").touch()
    ran = mlgym("run", "--task", number_task, "--agent", "oracle", *options)
    assert ran.code == 2
    assert words in ran.err
    assert not (tmp_path / "runs").exists()
