"""What all tests share: one cache of prepared data and images, and the list of what could not run.

Tests never touch the user's own cache. Theirs is `$MLGYM_TEST_HOME`, or `.cache/mlgym-test` in the
repository, kept between runs because building an image's environment takes a minute.

Nothing is skipped silently: a test that cannot run here is listed at the end with the reason. With
`MLGYM_REQUIRE_ALL=1` (CI sets it) such a list fails the run.
"""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Set before any test module is imported, and inherited by every subprocess of a test."""
    home = os.environ.get("MLGYM_TEST_HOME", str(ROOT / ".cache" / "mlgym-test"))
    Path(home).mkdir(parents=True, exist_ok=True)
    os.environ["MLGYM_HOME"] = home
    os.environ["HF_HOME"] = str(Path(home) / "hf")
    os.environ.pop("MLGYM_PATH", None)


@cache
def docker_missing() -> str | None:
    """Why tests on Docker cannot run here, with the command that mends it; None where they can."""
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=10)
    except DockerException as error:
        if isinstance(error.__context__, PermissionError) or "Permission denied" in str(error):
            return "this user may not talk to the Docker daemon: add it to the group `docker`"
        return "no Docker daemon answers: `sudo apt-get install docker.io` installs and starts one"
    try:
        if not client.images.list("mlgym/base"):
            return (
                "the Docker image is not built: `.venv/bin/mlgym images build base "
                "--sandbox docker` (`--from-debian` where no image registry is reachable)"
            )
    finally:
        client.close()
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    on_docker = [item for item in items if item.get_closest_marker("docker")]
    if on_docker and (reason := docker_missing()):
        for item in on_docker:
            item.add_marker(pytest.mark.skip(reason=reason))


def _not_run(reporter: pytest.TerminalReporter) -> dict[str, list[str]]:
    """The tests that were not run, by reason."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for report in reporter.stats.get("skipped", []):
        where = report.longrepr
        reason = where[2] if isinstance(where, tuple) else str(where)
        by_reason[reason.removeprefix("Skipped: ")].append(report.nodeid)
    return dict(by_reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("not run here")
    missing = _not_run(terminalreporter)
    if not missing:
        terminalreporter.write_line("nothing: every test that was chosen was run")
    for reason, tests in sorted(missing.items()):
        terminalreporter.write_line(f"{len(tests)} not run: {reason}")
        for test in tests:
            terminalreporter.write_line(f"  {test}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    required = os.environ.get("MLGYM_REQUIRE_ALL") == "1"
    if required and exitstatus == 0 and reporter is not None and _not_run(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def base_image() -> Path:
    """The environment of the image `base`, built where it is missing: a minute, once a checkout."""
    from mlgym.sandbox.images import build_environment, load_image

    return build_environment(load_image("base"), print)


@pytest.fixture(params=["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)])
def backend(request: pytest.FixtureRequest) -> str:
    """The name of each sandbox in turn."""
    return request.param


@pytest.fixture
def own_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own folder for what is temporary: others' come and go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)


NUMBER_TASK = {
    "task.yaml": """\
id: number
version: 1
title: Name a number
domain: data_science
description: Write a number into answer.txt. Metric {metric}, baseline {baseline}.
image: base
submission: {kind: predictions, paths: [answer.txt], max_mb: 1}
grader: {script: grader/grade.py, timeout_s: 20}
metrics: [{name: value, goal: maximize, tolerance: 0.01}]
profiles: {mini: {baseline: {value: 0}, target: {value: 10}}}
baseline: {command: echo 0 > answer.txt}
solution: {command: cp solved.txt answer.txt}
budget: {steps: 50, wall_s: 60, command_s: 20}
resources: {cpus: 2, memory_gb: 2, disk_gb: 1, gpus: 0, network: false}
""",
    "workspace/README.md": "Write a number into answer.txt.\n",
    "solution/solved.txt": "10\n",
    "grader/grade.py": """\
from mlgym_kit import SubmissionError


def grade(submission, answers, split, rng):
    text = (submission / "answer.txt").read_text().strip()
    if text == "bug":
        raise RuntimeError("a bug in the grader")
    try:
        value = float(text)
    except ValueError:
        raise SubmissionError(f"answer.txt: found {text!r}, expected a number") from None
    # What the test split gives differs from what validation promised.
    return {"value": value if split == "validation" else value - 1}
""",
}


@pytest.fixture(scope="session")
def lay_number_task() -> Callable[[Path], Path]:
    """Lays a task without data, graded in no time: a number in a file, 1 less on test."""

    def lay(below: Path) -> Path:
        folder = below / "tasks" / "number"
        for name, text in NUMBER_TASK.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder

    return lay


@pytest.fixture
def number_task(tmp_path: Path, lay_number_task: Callable[[Path], Path]) -> Path:
    """That task, in the test's own folder."""
    return lay_number_task(tmp_path)
