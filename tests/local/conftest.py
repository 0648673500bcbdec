"""A real model for the tests of this folder: `make test-local` installs what they need."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlgym.models.weights import find_weights


@pytest.fixture(scope="session")
def weights() -> Path:
    """SmolLM2's file: 93 MB are fetched once."""
    return find_weights("local/smollm2", print)


@pytest.fixture(scope="session")
def llama_server(weights: Path) -> Iterator[str]:
    """The address of a llama.cpp server with that model, as `--api-base` takes it."""
    script = Path(__file__).with_name("llama_server.py")
    with subprocess.Popen(
        [sys.executable, script, weights],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), "the server did not start"
        yield f"{address}/v1"
        process.stdin.close()


@pytest.fixture(scope="session")
def small_agent() -> str:
    """An agent whose every reply is a step: so small a model rarely keeps to a form."""
    return str(Path(__file__).with_name("first_line"))
