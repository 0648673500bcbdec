"""Models by name, and what is refused before anything starts."""

import pytest

from mlgym.errors import ConfigError
from mlgym.models.litellm import LiteLLMModel
from mlgym.models.registry import ModelSettings, check_key, check_price, make_model
from mlgym.models.scripted import ScriptedModel

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch):
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)


def test_a_short_name_stands_for_litellms():
    model = make_model("claude-sonnet", ModelSettings())
    assert isinstance(model, LiteLLMModel)
    assert model.name.startswith("anthropic/claude-sonnet")
    assert model.context_window == 1_000_000


def test_a_window_given_goes_before_the_known_one():
    assert make_model("gpt-4o", ModelSettings(context_window=9000)).context_window == 9000


@pytest.mark.parametrize("name", ["gpt-4oo", "nosuch/model", "", "openai/"])
@pytest.mark.parametrize("refuse", [check_key, lambda name: make_model(name, ModelSettings())])
def test_an_unknown_name_is_refused_with_the_command_that_lists_names(name, refuse):
    with pytest.raises(ConfigError, match="mlgym models list"):
        refuse(name)


def test_an_unknown_name_brings_the_nearest():
    with pytest.raises(ConfigError, match=r"Did you mean .*llama-4-scout"):
        check_key("llama-4-scot")


@pytest.mark.parametrize(
    ("name", "key"),
    [("gpt-4o", "OPENAI_API_KEY"), ("claude-opus", "ANTHROPIC_API_KEY")],
)
def test_a_missing_key_is_named(name, key, monkeypatch):
    with pytest.raises(ConfigError, match=key):
        check_key(name)
    monkeypatch.setenv(key, "sk-test")
    check_key(name)


def test_one_of_geminis_two_keys_is_enough(monkeypatch):
    with pytest.raises(ConfigError, match=r"\w+_API_KEY or \w+_API_KEY"):
        check_key("gemini-flash")
    monkeypatch.setenv("GEMINI_API_KEY", "test")
    check_key("gemini-flash")


def test_a_server_of_ones_own_needs_no_key_but_another_providers_does():
    check_key("openai/anything", "http://localhost:8000/v1")
    with pytest.raises(ConfigError, match="ANTHROPIC_API_KEY"):
        check_key("claude-opus", "http://localhost:8000/v1")


def test_a_cost_limit_needs_a_price():
    check_price("gpt-4o", None)
    check_price("openai/mine", (1.0, 2.0))
    with pytest.raises(ConfigError, match=r"--price IN,OUT.*--token-limit"):
        check_price("openai/mine", None)


def test_a_bad_setting_is_refused_with_its_name():
    with pytest.raises(ConfigError, match=r"model settings: retries: found -1"):
        ModelSettings.make(retries=-1)
    with pytest.raises(ConfigError, match="colour"):
        ModelSettings.make(colour="red")


def test_a_script_is_checked_before_anything_starts(tmp_path):
    script = tmp_path / "script.jsonl"
    with pytest.raises(ConfigError, match=r"script\.jsonl"):
        check_key(f"scripted:{script}")
    script.write_text('"hello"\n')
    check_key(f"scripted:{script}")
    assert isinstance(make_model(f"scripted:{script}", ModelSettings()), ScriptedModel)
