"""Agents are found by name, folder or import path; every mistake says where it is."""

import io
from pathlib import Path

import pytest

from mlgym import catalog
from mlgym.agent_loader import find_agent, make_agent
from mlgym.errors import ConfigError
from mlgym.models.scripted import ScriptedModel
from mlgym.types import BriefLimits, TaskBrief

SPEC = """\
name: mine
description: One of our own
class: agent.py:Mine
prompts: {system: prompts/system.j2}
tools: [bash, submit]
settings: {width: 3, depth: 1}
"""
CODE = """\
from dataclasses import dataclass

from mlgym import Decision


@dataclass
class Mine:
    settings: dict
    prompts: dict

    def reset(self, brief, tools):
        pass

    def act(self, observation):
        return Decision("submit")
"""
BRIEF = TaskBrief("toy", "Toy", "Do.", "payoff", "maximize", 0.0, BriefLimits(9, 60.0, 5.0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    (folder / "prompts").mkdir(parents=True)
    (folder / "agent.yaml").write_text(SPEC)
    (folder / "agent.py").write_text(CODE)
    (folder / "prompts" / "system.j2").write_text("You are {{ brief.title }}.")
    return folder


def complaint(wanted, **offered) -> str:
    with pytest.raises(ConfigError) as caught:
        make_agent(find_agent(str(wanted)), **offered)
    return str(caught.value)


def test_a_folder_s_agent_is_given_what_its_class_takes(folder):
    found = find_agent(str(folder))
    agent = make_agent(found, settings={"depth": 2}, commands={"baseline": "python baseline.py"})
    assert found.spec.tools == ("bash", "submit")
    assert agent.settings == {"width": 3, "depth": 2}
    assert agent.prompts == {"system": "You are {{ brief.title }}."}


def test_an_agent_is_given_a_conversation_with_a_policy_of_its_own(folder):
    policy = "class Brief:\n    def shorten(self, talk, most, write):\n        talk.turns.clear()\n"
    (folder / "agent.py").write_text(
        CODE.replace("settings: dict", "chat: object").replace(
            "@dataclass", policy + "\n@dataclass"
        )
    )
    spec = folder / "agent.yaml"
    spec.write_text(f"{SPEC}context: {{policy: 'agent.py:Brief', window: 100}}\n")
    model = ScriptedModel(["fine"])
    chat = make_agent(find_agent(str(folder)), model=model).chat
    chat.begin("s", "b" * 1000)
    chat.add_reply({"role": "assistant", "content": "x"})
    assert chat.ask().text == "fine"
    assert chat.talk.turns == []


def test_settings_may_change_the_context_too(folder):
    with pytest.raises(ConfigError, match=r"context\.fill of mine: found 9, expected"):
        make_agent(find_agent(str(folder)), settings={"context": {"fill": 9}})


def test_an_agent_of_a_pack_is_found_by_its_name(folder, tmp_path, monkeypatch):
    pack = tmp_path / "pack" / "agents"
    pack.mkdir(parents=True)
    folder.rename(pack / "mine")
    monkeypatch.setenv("MLGYM_PATH", str(pack.parent))
    assert find_agent("mine").folder == pack / "mine"


def test_a_class_in_the_working_directory_is_found_by_its_import_path(tmp_path, monkeypatch):
    (tmp_path / "tuner_of_mine.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/nowhere"])
    found = find_agent("tuner_of_mine:Mine")
    assert make_agent(found).settings == {}
    assert found.spec.needs_model is False


def test_two_folders_with_the_same_file_names_do_not_mix(folder, tmp_path):
    other = tmp_path / "other" / "mine"
    (other / "prompts").mkdir(parents=True)
    for name in ("agent.yaml", "prompts/system.j2"):
        (other / name).write_text((folder / name).read_text())
    (other / "agent.py").write_text(CODE.replace('"submit"', '"forfeit"'))
    first, second = make_agent(find_agent(str(folder))), make_agent(find_agent(str(other)))
    assert first.act(None).action == "submit"
    assert second.act(None).action == "forfeit"


def test_an_unknown_agent_is_answered_with_the_nearest_and_the_command():
    told = complaint("orcale")
    assert "Did you mean oracle" in told
    assert "`mlgym agents list`" in told


def test_a_folder_without_a_spec_is_named(tmp_path):
    assert complaint(tmp_path) == f"{tmp_path}: holds no agent.yaml"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("tools: [bash, submit]", "tools: bash", "line 5, tools: found 'bash', expected: "),
        ("settings:", "setings:", "line 6, setings: found an unknown field, expected: one of name"),
        ("class: agent.py:Mine\n", "", "class: found nothing, expected: Field required"),
        ("{width: 3, depth: 1}", "[1", "agent.yaml: is not valid YAML: line"),
        ("name: mine\n", "name: mine\nname: yours\n", "line 2, name: found a second time"),
        ("agent.py:Mine", "agent.py:Yours", "class: found 'agent.py:Yours', expected agent.py:<a"),
        ("agent.py:Mine", "none.py:Mine", "there is no file"),
        ("settings:", "context: {fil: 1}\nsettings:", "context.fil: found an unknown field, expec"),
        ("settings:", "context: {fil: 1}\nsettings:", "expected: one of policy, options, window"),
        ("settings:", "context: {fill: 2}\nsettings:", "line 6, context.fill: found 2, expected:"),
        ("settings:", "context: {policy: dorp_oldest}\nsettings:", "Did you mean drop_oldest"),
        (
            "settings:",
            "context: {policy: 'agent.py:Nothing'}\nsettings:",
            "the context policy of 'mine': context.policy: found 'agent.py:Nothing'",
        ),
        (
            "settings:",
            "context: {policy: summarise, options: {wrods: 3}}\nsettings:",
            "the context policy of 'mine' cannot be made: TypeError",
        ),
        (
            "settings:",
            "context: {policy: 'agent.py:Mine', options: {settings: {}, prompts: {}}}\nsettings:",
            "the context policy of 'mine' has no method shorten()",
        ),
        ("prompts/system.j2", "prompts/none.j2", "prompts/none.j2: prompts.system of mine"),
        ("agent.py:Mine", "nowhere_at_all.pkg:Mine", "No module named 'nowhere_at_all'"),
    ],
)
def test_a_broken_spec_is_refused_with_file_line_and_field(folder, old, new, told):
    assert old in SPEC
    (folder / "agent.yaml").write_text(SPEC.replace(old, new, 1))
    assert told in complaint(folder)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("class Mine:", "class Mine(:", "agent.py, line 7: SyntaxError"),
        ("from mlgym import Decision", "import no_such_thing", "agent.py, line 3: ModuleNotFound"),
        ("from mlgym import Decision", "import json; json.loads('{')", "line 3: JSONDecodeError"),
        ("    prompts: dict", "    prompts: dict\n    other: int", "other"),
        ("    def act", "    def act_not", "has no method act()"),
        (
            "    def reset",
            "    def __post_init__(self):\n        self.settings['x']\n\n    def reset",
            "agent.py, line 12: KeyError: 'x'",
        ),
    ],
)
def test_an_error_in_the_agent_s_own_file_is_told_with_its_line(folder, old, new, told):
    assert old in CODE
    (folder / "agent.py").write_text(CODE.replace(old, new, 1))
    assert told in complaint(folder)


@pytest.mark.parametrize("wanted", ["pkg.module:", ":Class", "a b:C", "os:path:x"])
def test_a_bad_import_path_is_refused(wanted):
    assert complaint(wanted) == f"--agent {wanted}: expected pkg.module:Class"


def test_an_agent_that_needs_a_model_is_refused_without_one(tmp_path, monkeypatch):
    assert "needs a model" in complaint("toolcaller")
    (tmp_path / "wants_a_model.py").write_text(
        CODE.replace("settings: dict", "model: object").replace("    prompts: dict\n", "")
    )
    monkeypatch.chdir(tmp_path)
    assert "needs a model" in complaint("wants_a_model:Mine")
    made = make_agent(find_agent("wants_a_model:Mine"), model=ScriptedModel([]))
    assert made.model.name == "scripted"


@pytest.mark.parametrize("name", sorted(catalog.shelf("agents")))
def test_every_shipped_agent_can_be_made(name, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("ls\n"))
    recorded = tmp_path / "trajectory.jsonl"
    recorded.touch()
    found = find_agent(name)
    assert found.spec.name == name
    assert found.spec.description
    agent = make_agent(
        found,
        model=ScriptedModel([]) if found.spec.needs_model else None,
        settings={"file": str(recorded)} if name == "replay" else None,
        commands={"baseline": "python baseline.py", "solution": "python solution.py"},
    )
    agent.reset(BRIEF, [])


def test_the_oracle_of_a_task_without_a_solution_is_refused():
    assert "has no reference solution" in complaint("oracle", commands={"solution": None})


def test_the_baseline_of_a_task_without_a_command_is_its_starter_files():
    agent = make_agent(find_agent("baseline"), commands={"baseline": None})
    agent.reset(BRIEF, [])
    assert [agent.act(None).action for _ in range(2)] == ["validate", "submit"]


def test_replay_without_a_file_says_what_it_needs():
    assert "settings.file: found None, expected the path of a run's folder" in complaint("replay")
