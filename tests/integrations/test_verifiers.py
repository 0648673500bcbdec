"""verifiers' own command plays our tasks at a model server, and reports what they paid."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from model_server import Answer, ModelServer, calls, overflow, says

from mlgym.errors import ConfigError, SandboxError

pytest.importorskip(
    "verifiers", reason="verifiers is not installed: make test-integrations installs it"
)

import verifiers.v1 as vf

from mlgym.integrations.verifiers import load_environment

ALWAYS = "printf 'def row_strategy(history):\\n    return {}\\n' > strategy.py"
WRITE = "echo {} > answer.txt"


def turns(request: dict[str, Any]) -> int:
    return sum(message["role"] == "assistant" for message in request["messages"])


def script(*answers: Answer):
    """Answers by the number of the turn, the last one for ever."""
    return lambda request: answers[min(turns(request), len(answers) - 1)]


def played(server: ModelServer, env: Any, rollouts: int = 1) -> list[Any]:
    """Episodes of each task, played at once."""
    ctx = vf.ModelContext(
        client=vf.EvalClientConfig(base_url=server.url, api_key_var="TESTER_KEY"),
        model="tester",
        sampling=vf.SamplingConfig(),
    )

    async def play() -> list[Any]:
        async with env.serving():
            slots = [slot for task in env.taskset for slot in env.slots(task, rollouts)]
            return await asyncio.gather(*(env.run_slot(slot, ctx) for slot in slots))

    return asyncio.run(play())


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESTER_KEY", "none")


@pytest.fixture
def number(number_task: Path):
    """An environment of a task that is graded in no time."""
    return load_environment(str(number_task), sandbox="bubblewrap", max_steps=6)


def test_the_evaluation_command_of_verifiers_reports_our_rewards(tmp_path: Path, root: Path):
    package = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    subprocess.run([*install, package, root / "examples" / "verifiers_mlgym"], check=True)
    answers = script(
        calls(("bash", {"command": ALWAYS.format(0)})),
        calls(("validate", {})),
        calls(("submit", {})),
    )
    with ModelServer(answers) as server:
        words = ["mlgym-env", "-m", "tester", "-r", "2", "--no-push", "--no-rich"]
        words += ["--client.base-url", server.url, "--client.api-key-var", "TESTER_KEY"]
        words += ["--env.taskset.tasks", '["battle_of_sexes"]', "--env.taskset.data", "mini"]
        words += ["--env.taskset.max-steps", "8", "-o", "out", "--run.name", "trial"]
        done = subprocess.run(
            [Path(sys.executable).with_name("vf-eval"), *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(package), str(root)])},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "out" / "trial" / "traces.jsonl").read_text().splitlines()
    traces = [trace for line in lines for trace in json.loads(line)["traces"]]
    assert [trace["ok"] for trace in traces] == [True, True]
    for trace in traces:
        assert trace["rewards"]["episode_return"]["score"] == pytest.approx(1, abs=0.05)
        assert trace["stop_condition"] == "submitted"
        assert trace["metrics"]["steps"] == 3
        assert trace["info"]["mlgym"]["score"]["split"] == "test"


def test_a_conversation_only_grows_and_refused_calls_are_answered_in_their_place(number):
    answers = script(
        calls(("bash", {"command": WRITE.format(6)}), ("goto", {"line": 0})),
        says("What now?"),
        calls(("submit", {})),
    )
    with ModelServer(answers) as server:
        (episode,) = played(server, number)
    (trace,) = episode.traces
    assert trace.reward == pytest.approx(0.5)
    assert (trace.num_branches, trace.num_turns, trace.metrics["steps"]) == (1, 3, 2)
    roles = [message.role for message in trace.messages]
    assert roles == [
        "system",
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
        "user",
        "assistant",
    ]
    assert "[5 steps left]" in trace.tool_messages[0].content
    assert "at least 1" in trace.tool_messages[1].content


def test_a_model_that_calls_nothing_ends_the_episode_which_is_graded(number):
    with ModelServer(
        script(calls(("bash", {"command": WRITE.format(9)})), says("Well."))
    ) as server:
        (episode,) = played(server, number)
    assert episode.traces[0].reward == pytest.approx(0.8)
    assert episode.traces[0].stop_condition == "format_errors"


def test_a_full_window_ends_the_episode_which_is_graded(number):
    full = script(calls(("bash", {"command": WRITE.format(9)})), overflow(500))
    with ModelServer(full) as server:
        (episode,) = played(server, number)
    assert episode.ok
    assert episode.traces[0].reward == pytest.approx(0.8)
    assert episode.traces[0].stop_condition == "context_overflow"


def test_a_lost_sandbox_is_an_error_of_the_trace_and_no_reward(number, monkeypatch):
    from mlgym.sandbox.bubblewrap import BubblewrapSandbox

    monkeypatch.setattr(BubblewrapSandbox, "run", _lost)
    with ModelServer(script(calls(("bash", {"command": "ls"})))) as server:
        (episode,) = played(server, number)
    (trace,) = episode.traces
    assert not episode.ok
    assert (trace.last_error.type, trace.stop_condition) == ("SandboxError", "sandbox_error")
    assert "gone" in trace.last_error.message
    assert not trace.rewards


def _lost(*_: object) -> None:
    raise SandboxError("gone")


def test_a_server_that_fails_for_good_is_verifiers_own_error(number):
    with ModelServer(script(Answer(status=403, body=b'{"error": {"message": "no"}}'))) as server:
        (episode,) = played(server, number)
    assert not episode.ok
    assert episode.traces[0].last_error.type == "ProviderError"


def test_a_long_command_of_one_episode_holds_up_no_other(number_task):
    env = load_environment(str(number_task), sandbox="bubblewrap", seeds=8)
    answers = script(calls(("bash", {"command": "sleep 2"})), calls(("forfeit", {})))
    with ModelServer(answers) as server:
        played(server, load_environment(str(number_task), sandbox="bubblewrap"))
        began = time.monotonic()
        episodes = played(server, env)
        took = time.monotonic() - began
    assert [episode.traces[0].stop_condition for episode in episodes] == ["forfeited"] * 8
    assert took < 8 * 2


def test_a_time_limit_ends_the_request_under_way_and_what_is_there_is_graded(number):
    number.config.agent.timeout.rollout = 2.0
    hangs = script(calls(("bash", {"command": WRITE.format(9)})), says("...", delay_s=60.0))
    with ModelServer(hangs) as server:
        began = time.monotonic()
        (episode,) = played(server, number)
        took = time.monotonic() - began
    assert took < 20
    (trace,) = episode.traces
    assert (trace.stop_condition, trace.reward) == ("agent_timeout", pytest.approx(0.8))


def test_the_rows_are_tasks_by_data_seeds_by_seeds():
    env = load_environment(["blotto", "battle_of_sexes"], data_seeds=[1, 2], seeds=2, max_steps=3)
    rows = list(env.taskset)
    assert [row.data.name for row in rows][:5] == [
        "blotto/1/0",
        "blotto/1/1",
        "blotto/2/0",
        "blotto/2/1",
        "battle_of_sexes/1/0",
    ]
    assert len({row.key for row in rows}) == 8
    assert "Budget: 3 steps" in rows[0].data.prompt


def test_bad_words_are_refused_before_anything_is_started():
    with pytest.raises(ConfigError, match="unknown: maxsteps"):
        load_environment("blotto", maxsteps=3)
    with pytest.raises(ConfigError, match="unknown task 'bloto'"):
        list(load_environment("bloto").taskset)
