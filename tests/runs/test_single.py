"""Whole runs with the agents that need no model, down to the record on disk."""

import io
import json
import tarfile
from pathlib import Path

import pytest
import zstandard

from mlgym.config import RunConfig
from mlgym.errors import ConfigError
from mlgym.runs.single import check, make_env, run_episode
from mlgym.runs.store import WORKSPACE, find_run

KEYS = [
    "run_id",
    "task",
    "task_version",
    "task_sha256",
    "profile",
    "data_seed",
    "sandbox",
    "limits",
    "agent",
    "model",
    "seed",
    "status",
    "exit_reason",
    "steps",
    "total_reward",
    "score",
    "best_validation",
    "baseline",
    "usage",
    "started_at",
    "duration_s",
    "config",
    "versions",
]


def run(out: Path, agent: str, task="battle_of_sexes", sandbox="bubblewrap", **options):
    config = RunConfig.make(
        task=task, agent=agent, sandbox=sandbox, data="mini", out=out, **options
    )
    found = check(config)
    return run_episode(config, found, make_env(config, found))


def workspace(folder: Path) -> dict[str, bytes]:
    packed = (folder / WORKSPACE).read_bytes()
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def test_an_oracle_run_is_scored_and_leaves_a_whole_record(tmp_path, backend):
    folder, record, outcome = run(tmp_path, "oracle", sandbox=backend)
    assert list(record) == KEYS
    assert record == json.loads((folder.path / "run.json").read_text())
    assert (record["status"], record["exit_reason"]) == ("scored", "submitted")
    assert (record["task"], record["profile"], record["sandbox"]) == (
        "battle_of_sexes",
        "mini",
        backend,
    )
    assert record["score"]["primary"] == "payoff"
    assert record["score"]["split"] == "test"
    assert record["score"]["metrics"]["payoff"] == pytest.approx(1.44, abs=0.02)
    assert record["total_reward"] == pytest.approx(record["score"]["normalized"])
    assert record["limits"]["memory_bytes"] == 4 * 1024**3
    assert record["usage"] == {
        "calls": 0,
        "input_tokens": 0,
        "cached_tokens": 0,
        "output_tokens": 0,
        "cost_usd": 0.0,
    }
    lines = folder.transitions()
    assert [line.action for line in lines] == [None, "python solution.py", "validate", "submit"]
    assert record["steps"] == outcome.steps == 3
    assert sum(line.reward for line in lines) == pytest.approx(record["total_reward"])
    assert {"solution.py", "strategy.py", "README.md"} <= workspace(folder.path).keys()


@pytest.mark.parametrize(
    ("task", "metric", "expected"),
    [("battle_of_sexes", "payoff", 1.0227), ("blotto", "result", -0.248)],
)
def test_the_baselines_of_the_games_are_the_published_ones(tmp_path, task, metric, expected):
    _, record, _ = run(tmp_path, "baseline", task)
    assert record["score"]["metrics"][metric] == pytest.approx(expected, abs=0.02)
    assert record["baseline"][metric] == pytest.approx(expected, abs=0.02)


def test_the_baseline_of_house_price_is_run_and_scored(tmp_path):
    folder, record, _ = run(tmp_path, "baseline", "house_price")
    assert [line.action for line in folder.transitions()][1] == "python baseline.py"
    committed = record["baseline"]
    assert record["score"]["metrics"]["r2"] == pytest.approx(committed["r2"], abs=0.002)
    kept = workspace(folder.path)
    assert "submission.csv" in kept
    assert not [name for name in kept if name.startswith("data")]


def test_the_solution_lies_in_the_oracle_s_workspace_only(tmp_path):
    folder, _, _ = run(tmp_path, "baseline")
    assert "solution.py" not in workspace(folder.path)


def test_replay_repeats_a_recorded_run(tmp_path):
    first, before, _ = run(tmp_path, "baseline")
    again, after, _ = run(tmp_path, "replay", settings={"file": str(first.path)})
    assert after["score"] == before["score"]
    texts = [line.observation for line in again.transitions()]
    assert texts == [line.observation for line in first.transitions()]
    # Cut short, the replay ends from outside and the best validation counts.
    cut = tmp_path / "cut.jsonl"
    whole = (first.path / "trajectory.jsonl").read_bytes()
    cut.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 40])
    _, record, _ = run(tmp_path, "replay", settings={"file": str(cut)})
    assert (record["exit_reason"], record["score"]["source"]) == ("interrupted", "best_validated")


def test_an_agent_that_cannot_be_made_leaves_no_run_behind(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        run(tmp_path, "replay", settings={"file": str(tmp_path / "none")})
    assert list(tmp_path.iterdir()) == []


def test_a_run_whose_agent_fails_is_recorded_with_the_traceback(tmp_path, monkeypatch):
    code = (
        "class Bad:\n"
        "    def reset(self, brief, tools): pass\n"
        "    def act(self, observation): return 1 / 0\n"
    )
    (tmp_path / "bad_agent.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    folder, record, outcome = run(tmp_path, "bad_agent:Bad")
    assert (record["status"], record["exit_reason"]) == ("scored", "agent_error")
    assert record["score"]["source"] == "last_workspace"
    assert "ZeroDivisionError" in outcome.error
    assert "bad_agent.py" in (folder.path / "log.txt").read_text()
    assert find_run(folder.run_id, tmp_path).record() == record


def test_a_run_without_its_data_names_the_command_and_leaves_no_run_behind(tmp_path):
    config = RunConfig.make(task="house_price", agent="baseline", data="full", out=tmp_path)
    found = check(config)
    env = make_env(config, found)
    with pytest.raises(ConfigError, match="mlgym data prepare"):
        run_episode(config, found, env)
    assert list(tmp_path.iterdir()) == []
