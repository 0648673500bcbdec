"""The parts of a suite: cells and their names, GPUs that are leased, limits that are shared."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from model_server import ModelServer, rate_limited, says
from run_folders import lay_run

from mlgym.config import EvalConfig, Rate, RunConfig
from mlgym.errors import ConfigError
from mlgym.models.litellm import LiteLLMModel
from mlgym.models.pace import lane_of
from mlgym.models.settings import ModelSettings
from mlgym.runs.reading import read_runs
from mlgym.runs.single import Watch, check, make_env
from mlgym.runs.suite.gate import HeldError, held
from mlgym.runs.suite.leases import GpuPool
from mlgym.runs.suite.limits import SharedPace
from mlgym.runs.suite.matrix import cells, run_config
from mlgym.runs.suite.playing import play_cell
from mlgym.sandbox.base import SandboxSpec
from mlgym.sandbox.docker import _container_options


def config(**fields: Any) -> EvalConfig:
    asked = {"tasks": ["blotto"], "agents": ["oracle"], **fields}
    return EvalConfig.make(asked, lambda path: ".".join(map(str, path)))


# Cells ----------------------------------------------------------------------------------------


def test_an_agent_without_a_model_gets_one_cell_a_seed() -> None:
    several = {"tasks": "blotto,sat3", "agents": "oracle,react", "models": "gpt-4o,openai/x"}
    found = cells(config(**several, seeds=2, data_seed=1))
    assert len(found) == 2 * 2 * (1 + 2)
    keys = [cell.key for cell in found if cell.task == "blotto" and cell.seed == 1]
    assert keys == [
        "blotto--oracle--s1--d1",
        "blotto--react--gpt-4o--s1--d1",
        "blotto--react--openai+x--s1--d1",
    ]
    assert {cell.model for cell in found if cell.agent == "oracle"} == {None}


def test_names_that_a_folder_cannot_have_keep_their_cells_apart() -> None:
    names = ["a/b", "a+b", "x/a/b", "scripted:/one/s.jsonl", "scripted:/two/s.jsonl", "../b", "b "]
    found = cells(config(agents=["react"], models=[*names, "m" * 300]))
    keys = {cell.key for cell in found}
    assert len(keys) == len(names) + 1
    assert all("/" not in key and len(key) < 100 for key in keys)


def test_what_a_model_says_of_itself_goes_before_what_the_suite_says() -> None:
    mine = {"model": "openai/x", "api_base": "http://localhost:1/v1", "price": [1, 2]}
    asked = config(agents=["oracle", "react"], models=["gpt-4o", mine], price=[3, 4], cost_limit=1)
    plain, own, other = (
        run_config(asked, cell, "mini", Path("s"), ("0",)) for cell in reversed(cells(asked))
    )
    assert (plain.model, plain.api_base, plain.price) == ("openai/x", mine["api_base"], (1, 2))
    assert (own.model, own.api_base, own.price, own.gpus) == ("gpt-4o", None, (3, 4), ("0",))
    assert (other.model, other.price, other.cost_limit) == (None, None, None)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"rates": {"openai": {"rpm": 0}}}, "rates.openai.rpm: found 0"),
        ({"models": [{"name": "x"}]}, "models.0.model: found nothing"),
        ({"models": [{"model": "x", "cost": 1}]}, "models.0.cost: found an unknown field"),
        ({"seeds": 0}, "seeds: found 0, expected: at least 1 seed"),
        ({"seeds": [1, 1]}, "seeds of at least 0, each once"),
        ({"tasks": []}, "tasks: found"),
        ({"retries": 9}, "retries: found 9"),
    ],
)
def test_a_bad_field_is_named_with_what_was_expected(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        config(**fields)
    assert told in str(raised.value)


def test_what_one_process_holds_no_other_gets_until_it_ends(tmp_path: Path) -> None:
    with held(tmp_path, "cell"):
        with pytest.raises(HeldError), held(tmp_path, "cell"):
            pass
        with held(tmp_path, "other"):
            pass
    with held(tmp_path, "cell"):
        pass


def test_a_run_that_cannot_be_resumed_is_begun_anew_and_put_where_no_report_looks(
    number_task: Path, tmp_path: Path
) -> None:
    (cell,) = cells(config(tasks=[str(number_task)], seeds=[7]))
    suite = tmp_path / "s"
    asked = run_config(config(tasks=[str(number_task)]), cell, "mini", suite)
    # Of another state of the task, it says.
    fields = {"task_sha256": "00", "config": asked.to_json(), "exit_reason": None}
    lay_run(suite / cell.key, **fields)
    said: list[str] = []
    for _ in range(2):
        record = play_cell(suite, cell, asked, Watch(log=said.append), most_lost=2)
    assert (record["status"], record["seed"], record["run_id"]) == ("scored", 7, cell.key)
    assert [line for line in said if "has changed since" in line]
    assert [run.run_id for run in read_runs(suite).runs] == [cell.key]
    assert [path.name for path in (suite / ".aside").iterdir()] == [f"{cell.key}.1"]


# GPUs -----------------------------------------------------------------------------------------


def test_a_gpu_is_leased_to_one_at_a_time_unless_they_are_shared() -> None:
    pool = GpuPool(["0", "1", "2"])
    assert pool.lease(0) == ()
    assert pool.lease(2) == ("0", "1")
    assert pool.lease(2) is None
    assert pool.lease(1) == ("2",)
    pool.give_back(("0", "1"))
    assert pool.lease(2) == ("0", "1")
    shared = GpuPool(["0", "1"], shared=True)
    assert [shared.lease(1) for _ in range(3)] == [("0",), ("1",), ("0",)]
    assert shared.lease(3) is None


def test_more_gpus_than_there_are_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match="at least 2: the task big"):
        GpuPool(["0"]).check("big", 2)
    with pytest.raises(ConfigError, match="each id once"):
        GpuPool(["0", "0"])


def test_the_leased_gpus_are_those_that_the_container_asks_for(number_task: Path) -> None:
    spec = number_task / "task.yaml"
    spec.write_text(spec.read_text().replace("gpus: 0", "gpus: 2"))
    asked = RunConfig.make(task=str(number_task), agent="oracle", gpus=("3", "5"))
    env = make_env(asked, check(asked))
    assert env.sandbox_name == "docker"
    prepared = env.laboratory._prepared()
    (request,) = _container_options(env.laboratory._spec(prepared), None)["device_requests"]
    assert (request["DeviceIDs"], request["Capabilities"]) == (["3", "5"], [["gpu"]])
    unleased = SandboxSpec("base", number_task, gpus=2)
    (request,) = _container_options(unleased, None)["device_requests"]
    assert (request["Count"], request["DeviceIDs"]) == (2, [])
    assert "device_requests" not in _container_options(SandboxSpec("base", number_task), None)


# Limits ---------------------------------------------------------------------------------------


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def paces(folder: Path, clock: Clock, **rate: int) -> list[SharedPace]:
    rates = {"openai": Rate(**rate)}
    return [SharedPace(folder, rates, sleep=clock.sleep, clock=clock) for _ in range(2)]


def test_all_jobs_together_ask_a_provider_so_often_a_minute(tmp_path: Path) -> None:
    clock = Clock()
    jobs = paces(tmp_path, clock, rpm=3)
    times = []
    for number in range(7):
        jobs[number % 2].enter("openai", lambda: 0)
        times.append(clock.now - 1000.0)
        clock.now += 1
    assert times == pytest.approx([0, 1, 2, 60, 61, 62, 120])
    # Another provider, and another server of the same kind, have limits of their own.
    before = clock.now
    for lane in ("groq", "openai@localhost:8000"):
        jobs[0].enter(lane, lambda: 0)
    assert clock.now == before


def test_tokens_count_as_estimated_until_they_are_known(tmp_path: Path) -> None:
    clock = Clock()
    first, second = paces(tmp_path, clock, tpm=1000)
    ticket = first.enter("openai", lambda: 900)
    first.settle("openai", ticket, 100)
    second.enter("openai", lambda: 800)
    assert clock.now == 1000
    second.enter("openai", lambda: 200)
    assert clock.now == pytest.approx(1060)
    # More than a minute has: it goes alone.
    first.enter("openai", lambda: 5000)
    assert clock.now == pytest.approx(1120)


def test_a_torn_file_of_limits_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / ".limits").mkdir()
    (tmp_path / ".limits" / "openai.json").write_text('{"sent": [[1')
    clock = Clock()
    paces(tmp_path, clock, rpm=1)[0].enter("openai", lambda: 0)
    assert clock.now == 1000


def _ask(folder: Path, count: int) -> None:
    pace = SharedPace(folder, {"*": Rate(rpm=4)}, window_s=0.6)
    for _ in range(count):
        pace.enter("openai", lambda: 0)
        with (folder / "asked").open("a") as file:
            file.write(f"{time.time()}\n")


def test_processes_share_a_limit(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    jobs = [context.Process(target=_ask, args=(tmp_path, 4)) for _ in range(3)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    times = sorted(float(line) for line in (tmp_path / "asked").read_text().split())
    assert len(times) == 12
    # Each is written a moment after it was let in.
    assert all(later - sooner > 0.5 for sooner, later in zip(times, times[4:], strict=False))


def test_a_wait_that_a_server_asks_one_job_for_holds_all_of_them_back(tmp_path: Path) -> None:
    script = iter([rate_limited("0.7")])
    with ModelServer(lambda _: next(script, says("yes"))) as server:
        settings = ModelSettings.make(api_base=server.url)
        lane = lane_of("openai", server.url)
        made: Callable[[], LiteLLMModel] = lambda: LiteLLMModel(  # noqa: E731
            "openai/tester", settings, sleep=lambda _: None, pace=SharedPace(tmp_path, {})
        )
        first, second = made(), made()
        ask = [{"role": "user", "content": "?"}]
        began = time.monotonic()
        # It does not wait by itself here: the pace, which both share, makes it.
        first.complete(ask)
        assert time.monotonic() - began > 0.7
        SharedPace(tmp_path, {}).pause(lane, 0.4)
        began = time.monotonic()
        second.complete(ask)
        assert time.monotonic() - began > 0.35
        assert len(server.requests) == 3
