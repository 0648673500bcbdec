"""What litellm knows of models: late, quiet, and without the network."""

import subprocess
import sys

from mlgym.models.library import count_tokens, price_of, supports_tools, window

OFFLINE = """
import socket, sys

def refuse(*_):
    raise OSError("no network in this test")

socket.socket.connect = socket.getaddrinfo = refuse
import mlgym.models.registry, mlgym.agent_loader
assert "litellm" not in sys.modules, "loaded early"
from mlgym.models.library import count_tokens, litellm, price_of, window
litellm()
assert price_of("gpt-4o") and window("gpt-4o") == 128000
assert count_tokens("one two three") == 3
"""


def test_litellm_is_loaded_late_and_touches_no_network_and_prints_nothing():
    done = subprocess.run([sys.executable, "-c", OFFLINE], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_facts_of_a_model_nobody_knows_are_unknown():
    assert window("openai/of-my-own") is None
    assert price_of("openai/of-my-own") is None


def test_a_deployments_window_is_the_one_in_aliases_yaml():
    assert window("deepinfra/meta-llama/Llama-4-Scout-17B-16E-Instruct") == 327_680


def test_only_a_model_known_to_lack_function_calling_lacks_it():
    assert supports_tools("openai/of-my-own")
    assert supports_tools("gpt-4o")
    assert not supports_tools("deepseek/deepseek-reasoner")


def test_a_free_price_in_the_map_is_taken_for_unknown():
    # litellm's map holds zeros where nobody filled in a price.
    assert price_of("ollama/llama3") is None


def test_tokens_are_counted_without_a_download():
    assert count_tokens("") == 0
    assert 150_000 > count_tokens("word " * 100_000) > 90_000
