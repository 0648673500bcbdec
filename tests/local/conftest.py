"""A real model for the tests of this folder: `make test-local` installs what they need."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mlgym import catalog
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
def patient_agent(tmp_path_factory: pytest.TempPathFactory) -> str:
    """`react`, brief and patient: so small a model often says nothing that can be run."""
    folder = tmp_path_factory.mktemp("agents") / "patient"
    source = catalog.resolve("agents", "react")
    for path in source.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            target = folder / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    spec = yaml.safe_load((folder / "agent.yaml").read_text("utf-8"))
    spec["settings"]["max_format_errors"] = 40
    spec["model"] = {"max_tokens": 48, "temperature": 0.7}
    (folder / "agent.yaml").write_text(yaml.safe_dump(spec), "utf-8")
    return str(folder)
