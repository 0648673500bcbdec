"""Images from the workspace to a model at a real server, and into the run's folder."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from drawn import png
from model_server import Answer, ModelServer, calls, fails, says

from mlgym.config import RunConfig
from mlgym.runs.single import check, make_env, run_episode
from mlgym.runs.store import RunFolder
from mlgym.tools.images import VIEW_IMAGE
from mlgym.trajectory import replay
from mlgym.types import Image

PNG = png(64, 48)
CODE = base64.b64encode(PNG).decode()
DRAW = f"echo {CODE} | base64 -d > plot.png; echo 6 > answer.txt"


def script(agent: str) -> list[Answer]:
    if agent == "toolcaller":
        view = ("view_image", {"path": "plot.png"})
        look = calls(view, ("view_image", {"path": "answer.txt"}), ("validate", {}))
        return [calls(("bash", {"command": DRAW})), look, calls(("submit", {}))]
    commands = (DRAW, "view_image plot.png", "view_image answer.txt", "validate", "submit")
    return [says(f"So.\n```\n{command}\n```") for command in commands]


def config_of(task: Path, agent: str, url: str, out: Path) -> RunConfig:
    return RunConfig.make(
        task=str(task),
        agent=agent,
        model="openai/tester",
        api_base=url,
        token_limit=10**7,
        sandbox="bubblewrap",
        out=out,
    )


def run(
    task: Path, agent: str, server: ModelServer, out: Path
) -> tuple[RunFolder, dict[str, Any], RunConfig]:
    config = config_of(task, agent, server.url, out)
    found = check(config)
    folder, record, _ = run_episode(config, found, make_env(config, found))
    return folder, record, config


def shown(request: dict[str, Any]) -> list[str]:
    """The addresses of the images in a request."""
    contents = [message.get("content") for message in request["messages"]]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


@pytest.mark.parametrize("agent", ["toolcaller", "react"])
def test_a_picture_reaches_the_model_and_the_record_names_it(
    number_task: Path, tmp_path: Path, agent: str
) -> None:
    with ModelServer(script(agent)) as server:
        folder, record, config = run(number_task, agent, server, tmp_path)
    assert (record["status"], record["exit_reason"]) == ("scored", "submitted")
    assert shown(server.requests[0]) == []
    assert shown(server.requests[2]) == [f"data:image/png;base64,{CODE}"]
    # What was shown stays where it was: the prefix is not sent anew.
    assert shown(server.requests[-1]) == [f"data:image/png;base64,{CODE}"]
    lines = [json.loads(line) for line in (folder.path / "trajectory.jsonl").open()]
    assert [line.get("image") for line in lines if "image" in line] == [
        Image("image/png", PNG).name
    ]
    assert lines[2]["observation"].startswith("[/workspace/plot.png: PNG, 64 x 48 pixels, ")
    assert "no PNG" in lines[3]["observation"]
    assert [path.name for path in (folder.path / "images").iterdir()] == [
        lines[2]["image"].rpartition("/")[2]
    ]
    assert (folder.path / lines[2]["image"]).read_bytes() == PNG
    told = (folder.path / "model.jsonl").read_text()
    assert "base64," not in told
    assert lines[2]["image"] in told
    with make_env(config, check(config)) as env:
        again = list(replay(env, folder.transitions(), config.seed))
    assert [difference for _, found in again for difference in found] == []


def test_a_server_that_refuses_images_loses_no_episode(number_task: Path, tmp_path: Path) -> None:
    answers = iter(script("toolcaller"))
    refusal = fails(400, "tester is not a multimodal model")

    def answer(request: dict[str, Any]) -> Answer:
        return refusal if shown(request) else next(answers)

    with ModelServer(answer) as server:
        _, record, _ = run(number_task, "toolcaller", server, tmp_path)
    assert (record["status"], record["exit_reason"]) == ("scored", "submitted")
    assert sum(map(bool, map(shown, server.requests))) == 1
    assert "[The image is not shown" in json.dumps(server.requests[-1])


def test_a_model_known_to_read_text_only_is_offered_no_images(
    number_task: Path, tmp_path: Path
) -> None:
    config = config_of(number_task, "react", "http://127.0.0.1:9", tmp_path)
    for model, offered in (("local/smollm2", False), ("openai/tester", True), (None, True)):
        changed = RunConfig.make(**{**config.model_dump(), "model": model})
        with make_env(changed, check(config)) as env:
            assert (VIEW_IMAGE in [tool.name for tool in env.tools]) is offered
