"""`mlgym agents new`: a copy of an agent that runs as it stands, by folder and by import path."""

from pathlib import Path

import pytest

from mlgym import catalog
from mlgym.agent import Observation
from mlgym.agent_loader import find_agent, make_agent
from mlgym.agent_new import new_agent, next_command
from mlgym.errors import ConfigError
from mlgym.models.scripted import ScriptedModel
from mlgym.types import BriefLimits, TaskBrief

BRIEF = TaskBrief("toy", "Toy", "Do.", "payoff", "maximize", 0.0, BriefLimits(9, 60.0, 5.0))
SEEN = Observation("Do.", 0, 9, 60.0, 0.0, None, 0.0)
WITH_CODE = [
    name for name, folder in catalog.shelf("agents").items() if (folder / "agent.py").is_file()
]


def test_the_copy_of_the_starter_is_one_file_and_acts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = new_agent("my_first", find_agent("starter"), Path())
    assert sorted(path.name for path in made.folder.iterdir()) == ["agent.py", "agent.yaml"]
    assert (made.spec.name, made.spec.class_) == ("my_first", "agent.py:MyFirst")
    for wanted in ("./my_first", "my_first.agent:MyFirst"):
        model = ScriptedModel(["hm", "Look.\n```bash\nls -la\n```"])
        agent = make_agent(find_agent(wanted), model=model)
        agent.reset(BRIEF, [])
        decision = agent.act(SEEN)
        assert (decision.action, decision.usage.calls) == ("ls -la", 2)
    assert next_command(made, Path()).endswith("--agent ./my_first --model gpt-4o")


@pytest.mark.parametrize("name", WITH_CODE)
def test_every_agent_with_a_class_of_its_own_can_be_copied(name, tmp_path):
    made = new_agent("copied", find_agent(name), tmp_path)
    assert made.spec.class_ == "agent.py:Copied"
    assert made.spec.prompts == find_agent(name).spec.prompts
    assert f"--agent {tmp_path}/copied" in next_command(made, tmp_path)


@pytest.mark.parametrize(
    ("name", "like", "told"),
    [
        ("My-Agent", "starter", "expected lower-case letters"),
        ("react", "starter", "'react' is there already"),
        ("taken", "starter", "'taken' is there already"),
        ("mine", "oracle", "oracle has no file with a class to copy"),
    ],
)
def test_what_cannot_be_copied_is_refused(name, like, told, tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(ConfigError, match=told):
        new_agent(name, find_agent(like), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
