"""A language model learns to write actions, by what `env.step` pays: GRPO in plain torch.

    python examples/train_lm.py --out curve                                   # tiny, on CPUs
    python examples/train_lm.py --model smollm2 --device cuda --out curve     # SmolLM2-135M

The model writes every action token by token; the environment's return is all it is told. Beside
each run stands a control, the same but for one thing: its returns are shuffled among the episodes
before they count. Runs that `--out` holds already are kept: a command that was stopped goes on.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lm_curve import machine, summary, write_curves
from numpy.typing import NDArray
from one_action.agent import request
from small_lm import Pair, Writer, load_smollm2, make_tiny

import mlgym

CLIP = 0.2
"""How far one update may move the chance of a token, as a part of it."""

LEAST = 0.1
"""The least standard deviation of returns that is divided by."""
SAME = 0.02
"""A standard deviation below this is noise of the grading: nothing is learned from it. Adam takes
steps of one size, however small the gradient, and by noise alone the model would unlearn what it
could."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`part` is how many replies go through the model at once, which is a question of memory."""

    model: str
    updates: int
    episodes: int
    steps: int
    rate: float
    epochs: int
    part: int


DEFAULTS = {
    "tiny": Settings("tiny", updates=20, episodes=16, steps=2, rate=6e-4, epochs=3, part=64),
    "smollm2": Settings("smollm2", updates=60, episodes=32, steps=3, rate=2e-5, epochs=2, part=8),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What was said at a step of an episode, in tokens."""

    episode: int
    pair: Pair


def play(
    writer: Writer, envs: mlgym.MLGymVectorEnv, seed: int
) -> tuple[list[Reply], NDArray[np.float64], NDArray[np.bool_]]:
    """An episode in each environment: replies, returns and which count, of shape `(episodes,)`.

    An episode that the infrastructure broke does not count.
    """
    seen, infos = envs.reset(seed=seed)
    returns, counts = np.zeros(envs.num_envs), np.ones(envs.num_envs, dtype=bool)
    running, replies = counts.copy(), list[Reply]()
    while running.any():
        chosen = np.flatnonzero(running)
        left = infos["remaining_steps"]
        prompts = [writer.prompt(request(seen[number], int(left[number]))) for number in chosen]
        actions = [""] * envs.num_envs
        said = writer.sample(prompts)
        for number, prompt, reply in zip(chosen, prompts, said, strict=True):
            replies.append(Reply(int(number), (prompt, reply)))
            actions[number] = writer.text(reply)
        seen, rewards, terminated, truncated, infos = envs.step(actions, running)
        returns += rewards
        counts &= ~infos.get("_infrastructure_failure", np.zeros_like(counts))
        running &= ~(terminated | truncated)
    return replies, returns, counts


def advantages(returns: NDArray[np.float64], counts: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How much better than the group each episode did, in the group's standard deviations.

    Nothing where all did the same.
    """
    group = returns[counts]
    if group.size == 0 or group.std() < SAME:
        return np.zeros_like(returns)
    return np.where(counts, (returns - group.mean()) / max(group.std(), LEAST), 0.0)


def learn(
    writer: Writer,
    optimizer: torch.optim.Optimizer,
    replies: list[Reply],
    worth: NDArray[np.float64],
    settings: Settings,
) -> None:
    """Make the tokens of what paid more likely, and those of what did not less."""
    parts = [replies[at : at + settings.part] for at in range(0, len(replies), settings.part)]
    total = sum(len(reply.pair[1]) for reply in replies)
    before: list[torch.Tensor] = []
    for _ in range(settings.epochs):
        optimizer.zero_grad()
        for place, part in enumerate(parts):
            now, said = writer.log_chances([reply.pair for reply in part])
            if place == len(before):
                before.append(now.detach())
            ratio = (now - before[place]).exp()
            good = torch.tensor([worth[reply.episode] for reply in part], dtype=torch.float32)
            good = good.to(now.device)[:, None]
            gain = torch.minimum(ratio * good, ratio.clamp(1 - CLIP, 1 + CLIP) * good)
            (-(gain * said).sum() / total).backward()
        torch.nn.utils.clip_grad_norm_(writer.model.parameters(), 1.0)
        optimizer.step()


def train(
    writer: Writer, settings: Settings, seed: int, *, shuffled: bool, tell: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """An update's figures at a time: mean return, all returns, seconds for playing and learning."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.Adam(writer.model.parameters(), lr=settings.rate)
    with mlgym.make_vec(
        ["battle_of_sexes"], settings.episodes, max_steps=settings.steps, data="mini"
    ) as envs:
        for update in range(settings.updates):
            began = time.monotonic()
            for group in optimizer.param_groups:
                group["lr"] = settings.rate * (1 - update / settings.updates)
            start = (seed * settings.updates + update) * settings.episodes
            replies, returns, counts = play(writer, envs, start)
            played = time.monotonic()
            worth = advantages(rng.permutation(returns) if shuffled else returns, counts)
            if worth.any():
                learn(writer, optimizer, replies, worth, settings)
            ended = time.monotonic()
            mean = float(returns[counts].mean()) if counts.any() else 0.0
            first = writer.text(replies[0].pair[1]).replace("\n", "\\n")
            tell(
                f"update {update + 1}/{settings.updates}: return {mean:.3f}"
                f" ({returns.min():.2f} to {returns.max():.2f}),"
                f" {played - began:.1f} s played, {ended - played:.1f} s learned: {first}"
            )
            yield {
                "return": mean,
                "returns": returns[counts].round(4).tolist(),
                "played_s": round(played - began, 2),
                "learned_s": round(ended - played, 2),
            }


def seeds_of(text: str) -> list[int]:
    """How many, or which with commas: `3` is 0 to 2, `4,` is 4 alone."""
    if "," in text:
        return [int(part) for part in text.split(",") if part]
    return list(range(int(text)))


def read_arguments() -> argparse.Namespace:
    words = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=words)
    parser.add_argument("--model", choices=sorted(DEFAULTS), default="tiny")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--seeds", default="3", help=seeds_of.__doc__)
    parser.add_argument("--control", choices=("shuffled", "none"), default="shuffled")
    parser.add_argument("--out", type=Path, default=Path("curve"), help="a folder")
    parser.add_argument("--threads", type=int, help="of torch, on CPUs")
    for name, help_ in (
        ("updates", "gradient updates of a run"),
        ("episodes", "that are played for an update, all at once"),
        ("steps", "of an episode"),
        ("rate", "the learning rate at first; it falls to nothing"),
        ("epochs", "passes over the episodes of an update"),
        ("part", "replies that go through the model at once"),
    ):
        kind = float if name == "rate" else int
        parser.add_argument(f"--{name}", type=kind, help=f"{help_}; by default the model's")
    return parser.parse_args()


def main() -> None:
    asked = read_arguments()
    given = {key: value for key, value in vars(asked).items() if value is not None}
    settings = Settings(**{key: given.get(key, value) for key, value in _default(asked.model)})
    if asked.threads:
        torch.set_num_threads(asked.threads)
    asked.out.mkdir(parents=True, exist_ok=True)
    arms = ("learning",) if asked.control == "none" else ("learning", "shuffled")
    for seed in seeds_of(asked.seeds):
        first: Writer | None = None
        for arm in arms:
            path = asked.out / f"{arm}-{seed}.json"
            if path.is_file():
                kept = json.loads(path.read_text())
                if kept["settings"] != asdict(settings):
                    raise SystemExit(f"{path} was made with other settings: {kept['settings']}")
                continue
            if first is None:
                first = _first(settings.model, seed, asked.device)
            began = time.monotonic()

            def tell(line: str, arm: str = arm, seed: int = seed) -> None:
                print(f"{arm}, seed {seed}, {line}", flush=True)

            updates = list(
                train(copy.deepcopy(first), settings, seed, shuffled=arm != "learning", tell=tell)
            )
            run = {
                "arm": arm,
                "seed": seed,
                "settings": asdict(settings),
                "machine": machine(asked.device),
                "seconds": round(time.monotonic() - began, 1),
                "updates": updates,
            }
            path.write_text(json.dumps(run) + "\n")
    write_curves(asked.out)
    print(summary(asked.out))


def _default(model: str) -> list[tuple[str, Any]]:
    return list(asdict(DEFAULTS[model]).items())


def _first(model: str, seed: int, device: str) -> Writer:
    """The model that both arms of a seed begin with."""
    began = time.monotonic()
    writer = make_tiny(seed, device) if model == "tiny" else load_smollm2(device)
    size = sum(each.numel() for each in writer.model.parameters())
    took = time.monotonic() - began
    print(f"{model}, seed {seed}: {size:,} parameters, ready in {took:.1f} s", flush=True)
    return writer


if __name__ == "__main__":
    main()
