"""Several busy sandboxes at once: each keeps to its own cores and its own limits."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mlgym.sandbox.backends import load_backend
from mlgym.sandbox.conformance import conformance_spec
from mlgym.sandbox.guest_sandbox import GuestSandbox

BOXES = {"bubblewrap": 4, "docker": 2}
GREED = 3
LOOK_S = 0.8
ESCAPE = """
import os
for pid in (0, 1):
    try:
        os.sched_setaffinity(pid, range(os.cpu_count()))
    except PermissionError as error:
        print(error.errno)
"""


@pytest.fixture
def boxes(tmp_path: Path, backend: str) -> Iterator[list[GuestSandbox]]:
    """Sandboxes of one core each."""
    with ExitStack() as held:
        started: list[GuestSandbox] = []
        for number in range(BOXES[backend]):
            spec = conformance_spec(tmp_path / str(number))
            sandbox = held.enter_context(load_backend(backend)(spec))
            assert isinstance(sandbox, GuestSandbox)
            started.append(sandbox)
        yield started


def processor_s(sandbox: GuestSandbox) -> float:
    """Seconds that the sandbox's processes have used by now, in all their threads."""
    ticks = 0
    for pid in sandbox.pids():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def test_busy_sandboxes_keep_to_their_cores_and_their_limits(
    boxes: list[GuestSandbox], backend: str
) -> None:
    for box in boxes:
        box.write("escape.py", ESCAPE.encode())
        assert box.run("python -I -S escape.py", 30).output == "1\n1\n"
    busy = [
        [box.open(["sh", "-c", "echo; while :; do :; done"]) for _ in range(GREED)] for box in boxes
    ]
    for channels in busy:
        for channel in channels:
            assert channel.recv(20) == b"\n"
    began, before = time.monotonic(), [processor_s(box) for box in boxes]
    if backend == "bubblewrap":
        greedy = boxes[0].run("python -I -S -c 'bytearray(1 << 31)' 2>&1 | tail -1", 30)
        assert greedy.output == "MemoryError\n"
    time.sleep(max(0.0, LOOK_S - (time.monotonic() - began)))
    used = [processor_s(box) - past for box, past in zip(boxes, before, strict=True)]
    passed = time.monotonic() - began
    for box, seconds in zip(boxes, used, strict=True):
        limit = box.limits_in_force.cpus
        assert limit == 1.0
        # A tick more of each process may have been counted.
        assert seconds <= limit * passed + 0.01 * (GREED + 3) + 0.1
        if backend == "bubblewrap":
            assert {len(os.sched_getaffinity(pid)) for pid in box.pids()[1:]} == {math.ceil(limit)}
    assert min(used) > 0
    for channels in busy:
        for channel in channels:
            channel.kill()
    for box in boxes:
        assert box.run("echo alive", 20).output == "alive\n"
