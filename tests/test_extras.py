"""What needs an extra says so in a sentence where it is not installed."""

from __future__ import annotations

import importlib
import sys

import pytest

from mlgym.errors import ConfigError


def begun(extra: str) -> None:
    importlib.import_module(f"mlgym.integrations.{extra}").environment_factory("blotto")


@pytest.mark.parametrize("extra", ["trl", "verifiers"])
def test_a_missing_library_is_a_sentence_with_the_command_that_installs_it(
    extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, extra, None)
    monkeypatch.delitem(sys.modules, f"mlgym.integrations.{extra}", raising=False)
    with pytest.raises(ConfigError) as told:
        begun(extra)
    sentence = f"mlgym.integrations.{extra} needs {extra}: pip install 'mlgym[{extra}]'"
    assert str(told.value) == sentence
