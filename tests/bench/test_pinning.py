"""One core for all that is compared."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import cast

import pytest

from mlgym.bench.pinning import on_core, pids_of, pin
from mlgym.errors import ConfigError
from mlgym.sandbox.backends import load_backend
from mlgym.sandbox.base import Sandbox
from mlgym.sandbox.conformance import conformance_spec


def test_a_thread_is_bound_for_as_long_as_it_lasts() -> None:
    before = os.sched_getaffinity(0)
    with on_core(None) as core:
        assert os.sched_getaffinity(0) == {core}
        with on_core(core) as same:
            assert same == core
    assert core in before
    assert os.sched_getaffinity(0) == before


def test_a_core_that_is_not_ours_is_refused() -> None:
    with pytest.raises(ConfigError, match="--core: found 4096"), on_core(4096):
        pass


def test_all_of_a_sandbox_is_bound(tmp_path: Path, backend: str) -> None:
    core = min(os.sched_getaffinity(0))
    with load_backend(backend)(conformance_spec(tmp_path)) as sandbox:
        sandbox.run("sleep 1000 >/dev/null 2>&1 &", 10)
        assert pin(pids_of(sandbox), core)
        assert {tuple(os.sched_getaffinity(pid)) for pid in pids_of(sandbox)} == {(core,)}
        assert sandbox.run("grep Cpus_allowed_list /proc/self/status", 10).output.split()[1:] == [
            str(core)
        ]


def test_what_is_gone_or_unseen_is_not_called_bound() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert not pin([gone.pid], 0)
    assert not pin([], 0)
    assert pids_of(cast(Sandbox, object())) == []
