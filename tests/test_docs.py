"""The docs do what they say: their commands exist, their code runs, their example task scores."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def blocks(page: str, language: str) -> list[tuple[str, str]]:
    """(title, text) of every fenced block of one language in a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(title, body) for kind, title, body in BLOCK.findall(text) if kind == language]


def shown_commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for _, body in blocks(str(page.relative_to(ROOT)), "sh"):
            for line in body.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words and Path(words[0]).name == "mlgym":
                    yield page.name, shlex.join(["mlgym", *words[1:]])


def run(command: list[str], cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def mlgym(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("mlgym")), *arguments]


@pytest.mark.parametrize(("page", "command"), sorted(set(shown_commands())))
def test_every_command_shown_is_one_that_exists(page: str, command: str) -> None:
    from mlgym.cli.main import app

    at: Any = typer.main.get_command(app)
    words = shlex.split(command)[1:]
    while hasattr(at, "commands"):
        assert words, f"{page}: {command}: names no command"
        assert words[0] in at.commands, f"{page}: {command}: no command {words[0]!r}"
        at = at.commands[words.pop(0)]
    known = {option for item in at.params for option in (*item.opts, *item.secondary_opts)}
    used = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert used <= known, f"{page}: {command}"


@pytest.mark.parametrize(
    "action", [text for _, text in blocks("docs/reference/actions.md", "text")]
)
def test_every_text_form_shown_is_a_call_of_its_tool(action: str) -> None:
    from mlgym.tools.registry import parse_action

    fill = {"<line>": "3", "[line]": "3", "<path>": "a.py", "<file>": "a.py", "[file]": "a.py"}
    fill |= {"<term>": "x", "<name>": "a*", "[dir]": "src", "[limit]": "3"}
    for mark, value in fill.items():
        action = action.replace(mark, value)
    one_liners = "\n" not in action.strip() or "scroll_up" in action
    calls = re.split(r"\s{2,}|\n", action.strip()) if one_liners else [action]
    for call in calls:
        assert parse_action(call).name == call.split()[0]


def script_of(text: str) -> str:
    """A page's commands in one shell, from top to bottom, its files written where they stand."""
    script = ["set -e"]
    for kind, title, body in BLOCK.findall(text):
        if title:
            script.append(f"cat > {title} <<'END'\n{body}END")
        elif kind == "sh":
            script.append(body)
    return "\n".join(script)


def run_page(text: str, folder: Path) -> str:
    """What those commands print."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return run(["bash", "-c", script_of(text)], folder, PATH=path).stdout


def test_the_how_to_leads_from_a_copy_to_a_sound_task_as_it_is_written(tmp_path: Path) -> None:
    text = (ROOT / "docs/how-to/add-a-task.md").read_text(encoding="utf-8")
    shown = run_page(text, tmp_path)
    assert "noisy_curve (mini): sound" in shown
    (record,) = (tmp_path / "runs").glob("*/run.json")
    assert json.loads(record.read_text())["total_reward"] == pytest.approx(1, abs=0.01)


def test_the_tutorial_ends_with_an_agent_that_beats_react(tmp_path: Path) -> None:
    text = (ROOT / "docs/tutorial/your-own-agent.md").read_text(encoding="utf-8")
    shown = run_page(text.partition("## What an agent sees")[0], tmp_path)
    means = {line.split()[0]: float(line.split()[-1]) for line in shown.splitlines()[-2:]}
    assert means["react"] < 0.1
    assert means["keeper"] > 0.9


def test_the_example_agent_of_the_tutorial_beats_the_baseline(tmp_path: Path) -> None:
    found = dict(blocks("docs/tutorial/your-own-agent.md", "python"))
    title, body = "tuner.py", found["tuner.py"]
    (tmp_path / title).write_text(body, encoding="utf-8")
    tuner = ("run", "--task", "house_price", "--agent", "tuner:Tuner", "--sandbox", "bubblewrap")
    record = json.loads(run(mlgym(*tuner, "--json"), tmp_path).stdout)
    assert record["exit_reason"] == "submitted"
    assert record["steps"] == 8


LOOPS = ("docs/tutorial/training-loop.md", "docs/how-to/many-environments.md")


@pytest.mark.parametrize("example", [block for page in LOOPS for block in blocks(page, "python")])
def test_the_loops_of_the_docs_run_as_printed(example: tuple[str, str], tmp_path: Path) -> None:
    assert run([sys.executable, "-c", example[1]], tmp_path).stdout


def test_every_test_that_the_threat_model_names_exists(root: Path) -> None:
    page = (root / "docs" / "explanation" / "threat-model.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/.]+)`", page))
    assert len(named) > 10
    assert not {name for name in named if not (root / name).exists()}
