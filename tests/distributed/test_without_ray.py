"""What needs no Ray: being refused in one sentence, an actor's share, what is carried along."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest
from alike import same
from gymnasium.vector import AutoresetMode
from typer.testing import CliRunner

from mlgym.cli.main import app
from mlgym.distributed import RayVectorEnv
from mlgym.distributed.errand import carried
from mlgym.distributed.share import Order, Share, Wanted, portable
from mlgym.errors import ConfigError
from mlgym.vector import MLGymVectorEnv
from mlgym.vector.seat import Outcome, columns

INSTALL = "pip install 'mlgym[ray]'"


def test_a_missing_extra_is_one_sentence_with_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError) as caught:
        RayVectorEnv("battle_of_sexes", 2)
    assert INSTALL in str(caught.value)
    assert "\n" not in str(caught.value)
    asked = ["eval", "--tasks", "battle_of_sexes", "--agents", "oracle", "--ray", "auto"]
    monkeypatch.setattr(sys, "argv", ["mlgym"])
    done = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "suite")])
    assert isinstance(done.exception, ConfigError)
    assert INSTALL in str(done.exception)
    assert not (tmp_path / "suite").exists()


def test_a_share_answers_as_a_vector_of_its_own_and_comes_back_when_rung(number_task: Path) -> None:
    share = Share(Wanted((number_task,), AutoresetMode.DISABLED, None, {}), [4, 5])
    try:
        share.prepare()
        begun = share.work([Order(number, "reset", seed=number) for number in (4, 5)], 2, 0)
        with MLGymVectorEnv(number_task, 2) as near:
            texts, _ = near.reset(seed=4)
            assert [(number, found.observation) for number, found in begun] == [
                (4, texts[0]),
                (5, texts[1]),
            ]
            actions = ("echo $((1 + 1))", "echo 4 > answer.txt; validate")
            orders = [Order(4 + place, "step", action) for place, action in enumerate(actions)]
            found = [outcome for _, outcome in share.work(orders, 2, 0)]
            assert all(isinstance(outcome, Outcome) for outcome in found)
            same(columns(found), near.step(actions)[1:])
        ringer = threading.Timer(0.3, share.ring)
        ringer.start()
        began = time.monotonic()
        assert share.work([Order(4, "step", "sleep 2; echo slow")], 1, 0) == []
        assert time.monotonic() - began < 1.5
        ((number, outcome),) = share.work([Order(5, "step", "echo quick")], 1, 1)
        assert (number, outcome.observation) == (5, "quick\n")
    finally:
        share.close()


def test_an_error_that_cannot_be_sent_is_sent_as_one_like_it() -> None:
    class LocalError(Exception):
        pass

    sent = portable(LocalError("here"))
    assert (type(sent), str(sent)) == (RuntimeError, "LocalError: here")
    kept = portable(ConfigError("x is 3"))
    assert (type(kept), str(kept)) == (ConfigError, "x is 3")


def test_keys_are_carried_and_what_belongs_to_the_machine_is_not() -> None:
    variables = {"OPENAI_API_KEY": "k", "HF_TOKEN": "t", "MLGYM_PATH": "/p", "https_proxy": "x"}
    own = {"MLGYM_HOME": "/h", "PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0", "HOME": "/root"}
    assert carried({**variables, **own}) == variables
