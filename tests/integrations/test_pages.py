"""The how-to of each trainer does what it says, as it is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from model_server import ModelServer, calls

# Each command of a page loads PyTorch or verifiers, half a minute on a busy machine.
pytestmark = pytest.mark.timeout(600)

BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
PLAYS = "printf 'def row_strategy(history):\\n    return 0\\n' > strategy.py"


def followed(root: Path, page: str, folder: Path, **variables: str) -> str:
    """What a page's files and commands print, in one shell, from top to bottom.

    Its installations are done: nothing of them is tried here.
    """
    script = ["set -e"]
    for kind, title, body in BLOCK.findall((root / "docs" / "how-to" / page).read_text("utf-8")):
        if title:
            (folder / title).write_text(body, encoding="utf-8")
        elif kind == "sh":
            script.append(re.sub(r"^pip install .*$", "", body, flags=re.MULTILINE))
        elif kind == "python":
            script.append(f"python - <<'END'\n{body}END")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    modules = os.pathsep.join([str(folder), str(root)])
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": modules, **variables},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_page_on_trl_trains(root: Path, tmp_path: Path):
    pytest.importorskip("trl", reason="TRL is not installed: make test-integrations installs it")
    from tiny_trainee import lay_trainee

    from mlgym.integrations.trl import dataset

    brief = dataset("battle_of_sexes", 1, max_steps=8)[0]["prompt"][-1]["content"]
    lay_trainee(tmp_path / "my-model", brief)
    shown = followed(root, "trl.md", tmp_path, TRL_EXPERIMENTAL_SILENCE="1")
    assert len(re.findall(r"^-?\d\.\d{3} \+- \d\.\d{3}, \d\.\d steps$", shown, re.M)) == 2
    assert "['battle_of_sexes', 'blotto'] ['battle_of_sexes', 'blotto']" in shown


def test_the_page_on_verifiers_evaluates(root: Path, tmp_path: Path):
    pytest.importorskip(
        "verifiers", reason="verifiers is not installed: make test-integrations installs it"
    )

    def answer(request):
        said = sum(message["role"] == "assistant" for message in request["messages"])
        return calls(("submit", {})) if said else calls(("bash", {"command": PLAYS}))

    with ModelServer(answer) as server:
        shown = followed(root, "verifiers.md", tmp_path, MODEL_URL=server.url, MODEL_KEY="none")
    rewards = re.findall(r"^(\w+)/0/0 submitted (\d\.\d+)$", shown, re.M)
    assert [task for task, _ in rewards].count("battle_of_sexes") == 2
    assert [task for task, _ in rewards].count("blotto") == 2
    for task, reward in rewards:
        assert task != "battle_of_sexes" or float(reward) == pytest.approx(1, abs=0.05)
    assert "['battle_of_sexes/1/0', 'blotto/1/0']" in shown
