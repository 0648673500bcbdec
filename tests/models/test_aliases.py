"""Short names: complete, each figure with its source, in litellm's own terms."""

from mlgym.models.aliases import aliases, find_deployment, list_models, resolve_alias
from mlgym.models.library import provider_of


def test_every_deployment_has_a_window_a_source_and_a_provider_that_litellm_knows():
    for name, deployment in list_models():
        assert deployment.window > 0, name
        assert deployment.source, name
        provider = deployment.model.partition("/")[0]
        assert provider in ("local", provider_of(deployment.model)), name


def test_windows_of_the_llama_4_models_differ_by_provider():
    for name in ("llama-4-scout", "llama-4-maverick"):
        assert len({found.window for found in aliases()[name].deployments}) > 2


def test_a_name_stands_for_its_first_deployment_and_others_for_themselves():
    assert resolve_alias("gpt-4o") == "openai/gpt-4o"
    assert resolve_alias("openai/of-my-own") == "openai/of-my-own"


def test_a_deployment_is_found_by_litellms_name():
    found = find_deployment("lambda_ai/llama-4-scout-17b-16e-instruct")
    assert found is not None
    assert found.window == 16384
    assert find_deployment("openai/of-my-own") is None
