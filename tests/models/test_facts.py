"""What is known of a model by any of its names."""

from mlgym.models import Capabilities, capabilities


def test_a_short_name_its_deployment_and_litellms_name_tell_the_same():
    told = capabilities("gpt-4o")
    assert told == capabilities("openai/gpt-4o")
    assert (told.window, told.output, told.tools, told.images) == (128_000, 16_384, True, True)
    assert told.caches
    assert told.price == (2.5, 10.0)


def test_the_same_model_differs_by_provider():
    watsonx = "watsonx/meta-llama/llama-4-maverick-17b-128e-instruct-fp8"
    assert capabilities(watsonx).window == 131_072
    assert capabilities(watsonx).images is False
    assert capabilities("llama-4-maverick").window == 1_048_576


def test_of_a_model_of_ones_own_nothing_is_known_and_function_calling_is_tried():
    assert capabilities("openai/of-my-own") == Capabilities(tools=True)


def test_the_local_model_is_known_without_any_library():
    told = capabilities("local/smollm2")
    assert (told.window, told.tools, told.images, told.price) == (8192, False, False, None)
