"""The model in this process: what it says, counts, keeps and refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlgym.errors import ModelError
from mlgym.models import ContextOverflowError, Reply, ToolsUnsupportedError
from mlgym.models.local import LocalModel
from mlgym.models.registry import ModelSettings, make_model
from mlgym.models.trial import KEEPER, try_model

FRANCE = {"role": "user", "content": "What is the capital of France?"}
ITALY = {"role": "user", "content": "And of Italy?"}


@pytest.fixture(scope="module")
def loaded(weights: Path) -> LocalModel:
    """A model that has been loaded, once for all tests."""
    model = LocalModel("local/smollm2", ModelSettings.make(max_tokens=24))
    assert model.context_window == 8192
    return model


def with_settings(
    loaded: LocalModel, entries: list[Any] | None = None, **fields: Any
) -> LocalModel:
    """Another model on the weights of `loaded`."""
    settings = ModelSettings.make(**{"max_tokens": 24, **fields})
    record = entries.append if entries is not None else lambda _: None
    model = make_model("local/smollm2", settings, record)
    assert isinstance(model, LocalModel)
    model._loaded = loaded._transformer()
    return model


def test_it_knows_the_capital_of_france_and_ends_by_itself(loaded: LocalModel) -> None:
    reply = with_settings(loaded).complete([FRANCE])
    assert "Paris" in reply.text
    assert reply.finish_reason == "stop"
    assert reply.message == {"role": "assistant", "content": reply.text}
    assert reply.usage.cost_usd is None
    assert 0 < reply.usage.output_tokens <= 24 < reply.usage.input_tokens


def test_what_a_prompt_shares_with_the_one_before_is_not_read_again(loaded: LocalModel) -> None:
    model = with_settings(loaded)
    first = model.complete([FRANCE])
    history = [FRANCE, first.message, ITALY]
    warm = model.complete(history)
    assert warm.usage.cached_tokens >= first.usage.input_tokens
    loaded._transformer()._held = []
    cold = model.complete(history)
    assert cold.usage.cached_tokens == 0
    assert cold.text == warm.text


def test_the_same_seed_says_the_same_and_another_does_not(loaded: LocalModel) -> None:
    def said(seed: int) -> list[Reply]:
        model = with_settings(loaded, temperature=1.5, seed=seed)
        return [model.complete([FRANCE]) for _ in range(2)]

    texts = [[reply.text for reply in said(seed)] for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert texts[0][0] != texts[0][1]


def test_a_reply_ends_at_its_longest(loaded: LocalModel) -> None:
    reply = with_settings(loaded, max_tokens=3).complete([FRANCE])
    assert (reply.usage.output_tokens, reply.finish_reason) == (3, "length")


def test_a_price_given_is_charged(loaded: LocalModel) -> None:
    usage = with_settings(loaded, price=(1.0, 2.0)).complete([FRANCE]).usage
    assert usage.cost_usd == pytest.approx((usage.input_tokens + 2 * usage.output_tokens) / 1e6)


def test_what_it_cannot_do_is_refused_and_recorded(loaded: LocalModel) -> None:
    entries: list[Any] = []
    model = with_settings(loaded, entries)
    with pytest.raises(ToolsUnsupportedError):
        model.complete([FRANCE], [KEEPER])
    with pytest.raises(ContextOverflowError) as caught:
        model.complete([{"role": "user", "content": "word " * 9000}])
    assert caught.value.window == 8192 - 24
    with pytest.raises(ModelError, match="no word within"):
        with_settings(loaded, timeout_s=1e-9).complete([ITALY, ITALY])
    assert [entry["kind"] for entry in entries] == ["request", "failure"]


def test_it_takes_part_in_a_round_trip_without_tools(loaded: LocalModel) -> None:
    trial = try_model(with_settings(loaded))
    assert (trial.tools, trial.understood) == ("none", True)
