"""A host without descriptors: with every number of them left, from none to enough."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

WITH_FEW = """
import json, os, resource, sys
from mlgym.env import MLGymEnv
from mlgym.errors import SandboxError

def opened():
    return len(os.listdir("/proc/self/fd"))

def attempt(action):
    try:
        return [None, action()]
    except SandboxError as error:
        return [str(error), None]

env = MLGymEnv(sys.argv[1], sandbox=sys.argv[2])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
# Once without a limit: afterwards everything is imported and made that is made once.
env.reset()
env.step("echo 5 > answer.txt")
env.step("validate")
env.close()
base, found = opened(), []
for more in map(int, sys.argv[3:]):
    resource.setrlimit(resource.RLIMIT_NOFILE, (base + more, hard))
    begun, _ = attempt(env.reset)
    graded = done = None
    if begun is None:
        graded, done = attempt(lambda: env.step("echo 5 > answer.txt") and env.step("validate")[4])
    status = env.status if env.started else None
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    env.close()
    found.append([begun, graded, done and done.get("metrics"), status, opened() - base])
env.reset()
found.append(env.step("echo back")[0])
env.close()
print(json.dumps(found))
"""


def run(code: str, *arguments: object, limit: int | None = None) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    if limit is not None:
        command = ["bash", "-c", f'ulimit -n {limit} && exec "$@"', "bash", *command]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


def test_with_too_few_descriptors_nothing_is_begun_halfway_and_none_leak(
    number_task: Path, backend: str
) -> None:
    more = range(0, 44, 4) if backend == "bubblewrap" else (0, 2, 5, 7, 8, 9, 12, 30)
    done = run(WITH_FEW, number_task, backend, *more)
    assert done.returncode == 0, done.stderr
    *found, back = json.loads(done.stdout)
    assert back == "back\n"
    for begun, graded, metrics, status, leaked in found:
        assert leaked == 0
        for error in (begun, graded):
            assert error is None or (len(error) < 400 and "\n" not in error)
        if begun is None:
            assert (graded is None) == (metrics == {"value": 5.0})
            assert status == ("unscored" if graded is None else "infrastructure_failure")
    # All three happened: no reset, a reset and no grading, both.
    assert found[0][0] is not None
    assert any(begun is None and graded is not None for begun, graded, *_ in found)
    assert found[-1][:2] == [None, None]


def test_a_low_soft_limit_of_the_host_s_is_not_the_sandbox_s(number_task: Path) -> None:
    code = (
        "import resource, sys\n"
        "from mlgym.env import MLGymEnv\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))\n"
        "with MLGymEnv(sys.argv[1], sandbox='bubblewrap') as env:\n"
        "    env.reset()\n"
        "    print(env.step('echo works')[0])\n"
    )
    assert run(code, number_task).stdout == "works\n\n"


def test_a_hard_limit_too_low_for_a_shell_is_a_clear_error(number_task: Path) -> None:
    code = (
        "import sys\n"
        "from mlgym.env import MLGymEnv\n"
        "from mlgym.errors import SandboxError\n"
        "with MLGymEnv(sys.argv[1], sandbox='bubblewrap') as env:\n"
        "    try:\n"
        "        env.reset()\n"
        "    except SandboxError as error:\n"
        "        print(error)\n"
    )
    done = run(code, number_task, limit=200)
    assert "no shell stays alive" in done.stdout, done.stderr
    assert done.stdout.count("\n") == 1
