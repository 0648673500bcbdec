"""A language model that a test can train: made here, of some thousand weights, nothing fetched.

Its tokenizer knows pieces of the texts it was made from, and has a token for each of some whole
function calls. The weights are random but for one direction, which makes it say calls and nothing
else: each is about as likely at first, so that no two completions need be alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Call = tuple[str, Mapping[str, Any]]

_START, _END, _PAD = "<|im_start|>", "<|im_end|>", "<|pad|>"
_LOUD = 2.0
"""Of a logit's part in that direction, which is about 5: what is not loud is never heard."""

PLAY_ALWAYS = "printf 'def row_strategy(history):\\n    return {}\\n' > strategy.py"
CALLS: Sequence[Call] = (
    ("bash", {"command": PLAY_ALWAYS.format(0)}),
    ("bash", {"command": PLAY_ALWAYS.format(1)}),
    ("bash", {"command": "python baseline.py"}),
    ("validate", {}),
    ("submit", {}),
)
"""Of battle_of_sexes: the first strategy is good, the second one worse than the baseline."""


def lay_trainee(folder: Path, *texts: str, calls: Sequence[Call] = CALLS, seed: int = 0) -> Path:
    """Save model and tokenizer as `from_pretrained` reads them; the folder."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
    from trl.chat_template_utils import qwen2_5_chat_template

    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    learning = trainers.BpeTrainer(
        vocab_size=1000,
        special_tokens=[_START, _END, _PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    pieces.train_from_iterator(texts, learning)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces, eos_token=_END, pad_token=_PAD)
    tokenizer.padding_side = "left"
    tokenizer.chat_template = qwen2_5_chat_template
    spoken = [_written(*call) for call in calls]
    tokenizer.add_tokens(spoken)
    torch.manual_seed(seed)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=8192,
            tie_word_embeddings=False,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    loud = tokenizer.convert_tokens_to_ids([*spoken, _END])
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] = 1.0
        model.lm_head.weight[:, 0] = -_LOUD
        model.lm_head.weight[loud, 0] = _LOUD
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _written(name: str, arguments: Mapping[str, Any]) -> str:
    """A call as Qwen's models write it."""
    said = json.dumps({"name": name, "arguments": dict(arguments)})
    return f"<tool_call>\n{said}\n</tool_call>"
