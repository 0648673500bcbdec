"""The wrappers for training, around a real environment."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import RecordEpisodeStatistics
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

import mlgym
from mlgym.wrappers import History, ShapedReward, TokenIds

assert mlgym


@pytest.fixture(scope="module")
def env():
    env = gym.make("mlgym/battle_of_sexes-v1", sandbox="bubblewrap", data="mini", max_steps=6)
    yield env
    env.close()


@pytest.fixture(scope="module")
def tokenizer():
    """Bytes and a few merges, trained here: as those of GPT-2 are."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(["echo hello", "echo the strategy"], trainer)
    return tokenizer


def ids(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).ids


def test_a_policy_of_tokens_reads_and_writes_them(env, tokenizer):
    spoken = TokenIds(env, tokenizer, max_length=64, pad=0, end=0)
    first, info = spoken.reset(seed=0)
    assert first in spoken.observation_space
    assert info["tokens"] > 64 == first["attention_mask"].sum()
    brief = ids(tokenizer, env.unwrapped.last_transition.observation)
    assert first["input_ids"].tolist() == brief[:32] + brief[-32:]
    action = [*ids(tokenizer, "echo 'ä 漢'"), 0, *ids(tokenizer, "; echo never")]
    assert tuple(action) in spoken.action_space
    seen, reward, *_, info = spoken.step(np.array(action))
    length = int(seen["attention_mask"].sum())
    assert tokenizer.decode(seen["input_ids"][:length].tolist()) == "ä 漢\n"
    assert set(seen["input_ids"][length:].tolist()) == {0}
    assert (reward, info["tokens"], info["tool"]) == (0.0, length, "bash")


@pytest.mark.parametrize("wrong", [[-1], [10_000], [1] * 9])
def test_ids_that_are_no_action_are_the_trainer_s_mistake(env, tokenizer, wrong):
    spoken = TokenIds(env, tokenizer, max_action=8, pad=0)
    spoken.reset(seed=0)
    with pytest.raises(ValueError, match="the action has"):
        spoken.step(wrong)


def test_without_anything_to_pad_with_it_says_what_to_give(env, tokenizer):
    with pytest.raises(ValueError, match="pad: the tokenizer has neither"):
        TokenIds(env, tokenizer)


def test_a_history_holds_the_brief_and_the_last_exchanges(env):
    remembering = History(env, length=2)
    brief, _ = remembering.reset(seed=0)
    texts = [remembering.step(f"echo {word}")[0] for word in ("one", "two", "three")]
    assert texts[0] == f"{brief}\n> echo one\none\n"
    assert texts[2] == f"{brief}\n> echo two\ntwo\n\n> echo three\nthree\n"
    short = History(env, length=2, max_chars=30, brief=False)
    short.reset(seed=0)
    assert short.step("echo one")[0] == "> echo one\none\n"
    assert short.step("echo two two two")[0] == "> echo two two two\ntwo two two\n"[-30:]
    # A new episode remembers nothing.
    assert "one" not in short.reset(seed=0)[0][-200:]


def test_a_shaped_reward_sees_the_whole_step(env):
    def shape(transition):
        return transition.reward - 0.5 * (transition.exit_code != 0)

    shaped = RecordEpisodeStatistics(ShapedReward(History(env), shape))
    shaped.reset(seed=0)
    assert shaped.step("false")[1] == -0.5
    assert shaped.step("true")[1] == 0.0
    info = shaped.step("forfeit")[4]
    assert info["episode"]["l"] == 3


def test_wrapped_environments_pass_gymnasium_s_own_checks(env, tokenizer):
    for wrapped in (TokenIds(env, tokenizer, pad=0), History(env, length=3)):
        check_env(wrapped, skip_render_check=True, skip_close_check=True)
