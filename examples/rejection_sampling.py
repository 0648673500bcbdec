"""Rejection sampling: roll a model out, train it on its best runs, roll it out again.

    python examples/rejection_sampling.py --out rejection

The runs are made by `mlgym eval`, the best of them written by `mlgym export`; each command is
printed as one could type it. The model is the tiny one of `small_lm.py` or SmolLM2-135M. A command
that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from lm_curve import machine
from small_lm import Pair, Writer, load_folder, load_smollm2, make_tiny

AGENT = Path(__file__).resolve().with_name("one_action")


def mlgym(*words: str, fine: tuple[int, ...] = (0,)) -> None:
    """Run a command of `mlgym`, which may exit with any of `fine`."""
    print(f"$ mlgym {shlex.join(words)}", flush=True)
    # Several processes with several threads each would only be in each other's way.
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-m", "mlgym", *words], env=variables, check=False)
    if done.returncode not in fine:
        raise SystemExit(f"mlgym {words[0]} ended with {done.returncode}")


def roll_out(model: Path, seeds: range, steps: int, jobs: int, out: Path) -> list[float]:
    """What each run returned. One that the infrastructure broke is left out."""
    mlgym(
        *("eval", "--tasks", "battle_of_sexes", "--data", "mini", "--max-steps", str(steps)),
        *("--agents", str(AGENT), "--models", f"local/{model}", "--temperature", "1"),
        *("--seeds", ",".join(map(str, seeds)), "--jobs", str(jobs), "--out", str(out)),
        fine=(0, 1),  # 1: some run ended without a score, as bad ones do
    )
    records = [json.loads(path.read_text()) for path in sorted(out.glob("*/run.json"))]
    played = [record for record in records if record["status"] != "infrastructure_failure"]
    return [float(record["total_reward"]) for record in played]


def best_of(runs: Path, count: int, least: float, out: Path) -> list[dict[str, object]]:
    """The replies of the best runs, each with its request exactly as it was sent."""
    mlgym(
        *("export", str(runs), "--format", "sft", "--each-reply"),
        *("--best", str(count), "--min-score", str(least), "--out", str(out)),
    )
    return [json.loads(line) for line in out.read_text().splitlines()]


def pairs_of(writer: Writer, rows: list[dict[str, object]]) -> list[Pair]:
    """Those rows in tokens."""
    return [
        (writer.prompt(row["prompt"]), writer.reply(row["completion"][0]["content"]))  # type: ignore[index,arg-type]
        for row in rows
    ]


def first_model(name: str, seed: int, device: str) -> Writer:
    """What is rolled out first."""
    return make_tiny(seed, device) if name == "tiny" else load_smollm2(device)


def main() -> None:
    words = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=words)
    parser.add_argument("--model", choices=("tiny", "smollm2"), default="tiny")
    parser.add_argument("--device", default="cpu", help="for the training: cpu or cuda")
    parser.add_argument("--rounds", type=int, default=2, help="of sampling and training")
    parser.add_argument("--runs", type=int, default=32, help="in a round")
    parser.add_argument("--best", type=int, default=8, help="of them are trained on, at most")
    parser.add_argument("--min-score", type=float, default=0.1, help="that they need")
    parser.add_argument("--max-steps", type=int, default=2, help="of a run")
    parser.add_argument("--updates", type=int, default=30, help="of a training")
    parser.add_argument("--rate", type=float, help="the learning rate; by default the model's")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("rejection"), help="a folder")
    asked = parser.parse_args()
    rate = asked.rate or (1e-3 if asked.model == "tiny" else 2e-5)
    told = []
    writer: Writer | None = None
    for number in range(asked.rounds + 1):
        model, runs = asked.out / f"model-{number}", asked.out / f"runs-{number}"
        if (model / "tokenizer_config.json").is_file():  # what is saved last
            writer = load_folder(model, asked.device)
        else:
            writer = writer or first_model(asked.model, asked.seed, asked.device)
            writer.save(model)
        seeds = range(number * asked.runs, (number + 1) * asked.runs)
        returns = roll_out(model, seeds, asked.max_steps, asked.jobs, runs)
        told.append({"model": model.name, "returns": returns, "return": float(np.mean(returns))})
        print(
            f"{model.name}: mean return {np.mean(returns):.3f} of {len(returns)} runs", flush=True
        )
        if number == asked.rounds:
            break
        if (asked.out / f"model-{number + 1}" / "tokenizer_config.json").is_file():
            continue
        rows = best_of(runs, asked.best, asked.min_score, asked.out / f"best-{number}.jsonl")
        if not rows:
            raise SystemExit("no run was good enough to train on: sample more, or ask for less")
        torch.manual_seed(asked.seed + number)
        loss = writer.teach(pairs_of(writer, rows), asked.updates, rate, 8, asked.seed + number)
        print(f"trained on {len(rows)} replies: loss {loss:.3f}", flush=True)
    figures = {"model": asked.model, "machine": machine(asked.device), "rounds": told}
    (asked.out / "figures.json").write_text(json.dumps(figures) + "\n")
    print("mean return:", " -> ".join(f"{each['return']:.3f}" for each in told))


if __name__ == "__main__":
    main()
