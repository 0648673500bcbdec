"""One run worth looking at: sixteen steps that go wrong, go back and come out well."""

from __future__ import annotations

import random
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from run_folders import BRIEF, RECORDED, acted, lay_run, score

from mlgym.runs.store import RunFolder
from mlgym.types import Image, Transition, Usage

START = 1_772_000_000.0
_TRAIN = """\
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor

train = pd.read_csv("train.csv")
features = ["area", "rooms", "year"]
model = GradientBoostingRegressor(random_state=0)
model.fit(train[features], train["price"])
test = pd.read_csv("test.csv")
test["price"] = model.predict(test[features])
test[["id", "price"]].to_csv("submission.csv", index=False)
"""
TASK = """\
Predict the price of each house in test.csv.

**Data.** train.csv has 1,168 rows: id, area, rooms, year, district, price. test.csv has the same
columns without the price.

**What to hand in.** submission.csv with the columns id and price.

**Metric.** r2, more is better. The baseline reaches 0.61.

You have 40 steps. `validate` scores submission.csv, `submit` ends the episode.
"""
_TRACEBACK = """\
\x1b[1mTraceback (most recent call last):\x1b[0m
  File "/workspace/train.py", line 7, in <module>
    model.fit(train[features], train["price"])
  File "/opt/env/lib/python3.11/site-packages/sklearn/base.py", line 1473, in wrapper
    return fit_method(estimator, *args, **kwargs)
\x1b[31;1mValueError\x1b[0m: Input X contains NaN.
"""
_BARS = "".join(f"\rfold {fold}/5  {'#' * (4 * fold):<20}  {20 * fold:>3}%" for fold in range(6))
_FOLDS = f"{_BARS}\n" + "".join(
    f"fold {n}: r2 \x1b[32m{value:.3f}\x1b[0m\n"
    for n, value in enumerate((0.831, 0.846, 0.812, 0.857, 0.839), 1)
)


def png(width: int, height: int) -> bytes:
    """A picture of residuals, or something like it."""
    draw = random.Random(3)
    grey = [bytearray(b"\xff" * 3 * width) for _ in range(height)]
    for at in range(width):
        grey[height // 2][3 * at : 3 * at + 3] = b"\xbb\xbb\xbb"
    for _ in range(width * 2):
        x = draw.randrange(4, width - 4)
        y = min(
            height - 4, max(4, round(draw.gauss(height / 2, height * (0.06 + 0.14 * x / width))))
        )
        for row in range(y - 1, y + 2):
            grey[row][3 * (x - 1) : 3 * (x + 2)] = b"\x00\x72\xb2" * 3
    raw = b"".join(b"\0" + bytes(row) for row in grey)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


PLOT = Image("image/png", png(420, 240))


def window(path: str, text: str, first: int = 1) -> str:
    """A file as the editor shows it."""
    lines = text.splitlines()
    body = "".join(f"{number}:{line}\n" for number, line in enumerate(lines, 1) if number >= first)
    return f"[{path}: {len(lines)} lines]\n{body}"


def showcase() -> list[Transition]:
    """Sixteen steps of a run that goes wrong, goes back and comes out well."""
    fixed = _TRAIN.replace(
        'train = pd.read_csv("train.csv")\n', 'train = pd.read_csv("train.csv").fillna(0)\n'
    )
    tuned = fixed.replace(
        "(random_state=0)", "(\n    n_estimators=400, learning_rate=0.05, random_state=0\n)"
    )
    path = "/workspace/train.py"
    said: list[tuple[int | None, str, str, str, dict[str, Any]]] = [
        (None, "Let me look at what there is.", "ls -la --color=always && head -3 train.csv",
         "\x1b[01;34mdata\x1b[0m  README.md  \x1b[01;32mscore.sh\x1b[0m  test.csv  train.csv\n"
         "id,area,rooms,year,district,price\n1,84,3,1962,north,231000\n2,131,,2004,west,412500\n",
         {"exit_code": 0}),
        (None, "Gradient boosting on the numeric columns is a good start. I write it as a script,"
         " so that it can be improved.", f"create train.py\n<<END\n{_TRAIN}END",
         f"{path} was written.\n{window(path, _TRAIN)}", {}),
        (None, "", "python train.py", _TRACEBACK, {"exit_code": 1}),
        (None, "Some rooms are missing. Filling them with 0 is crude, but shows whether all else"
         " works.", 'edit 4:4\ntrain = pd.read_csv("train.csv").fillna(0)\nend_of_edit',
         f"{path}: 1 line(s) replaced by 1.\n{window(path, fixed)}", {}),
        (None, "", "python train.py && wc -l submission.csv", "293 submission.csv\n",
         {"exit_code": 0}),
        (None, "", "validate", "validation r2: 0.7412\nbaseline r2: 0.61\n",
         {"metrics": {"r2": 0.7412}, "reward": 0.4373}),
        (None, "Where does it err? The residuals by area should tell.", "python plot.py",
         "saved residuals.png\n", {"exit_code": 0}),
        (None, "", "view_image residuals.png", "residuals.png: 420 x 240, PNG.\n",
         {"image": PLOT.name}),
        (None, "The spread grows with the area: the logarithm of the price is the better target.",
         "python - <<'END'\nimport re\ntext = open('train.py').read()\n"
         "text = text.replace('train[\"price\"])', 'np.log(train[\"price\"]))')\n"
         "open('train.py', 'w').write(text)\nEND\npython train.py",
         "NameError: name 'np' is not defined\n", {"exit_code": 1}),
        (None, "", "validate", "validation r2: -4.113\nbaseline r2: 0.61\n",
         {"metrics": {"r2": -4.113}, "reward": 0.0}),
        (6, "That was a dead end: predictions are logarithms now. I go back to the step after the"
         " first validation and tune the model instead.", "str_replace train.py\n<<END\nmodel ="
         " GradientBoostingRegressor(random_state=0)\nEND\n<<END\n"
         "model = GradientBoostingRegressor(\n"
         "    n_estimators=400, learning_rate=0.05, random_state=0\n)\nEND",
         f"{path}: replaced once.\n{window(path, tuned)}", {}),
        (None, "", "python cross_validate.py --folds 5", _FOLDS, {"exit_code": 0}),
        (None, "", "python train.py", "", {"exit_code": 0}),
        (None, "", "validate", "validation r2: 0.8391\nbaseline r2: 0.61\n",
         {"metrics": {"r2": 0.8391}, "reward": 0.3263}),
        (None, "This is well above the baseline, and the folds agree.", "submit",
         "The episode is over (submitted). The submission was graded on the test split.\n"
         "test r2: 0.8316\n",
         {"metrics": {"r2": 0.8316}, "reward": -0.025, "terminated": True}),
    ]  # fmt: skip
    steps = [replace(BRIEF, observation=TASK, time=START)]
    for number, (parent, thought, action, observation, fields) in enumerate(said, 1):
        spent = Usage(1, 2100 + 310 * number, 1900, 140, 0.0021 + 0.0003 * number)
        took = 0.2 if fields.get("exit_code") is None else 3.4
        made = acted(number, action, observation, thought=thought, usage=spent,
                     duration_s=took, time=START + 20 * number, **_tool(action),
                     **fields)  # fmt: skip
        steps.append(made if parent is None else replace(made, parent=parent))
    return steps


def _tool(action: str) -> dict[str, str]:
    tools = ("create", "edit", "str_replace", "validate", "submit", "view_image")
    first = action.split()[0]
    return {"tool": first if first in tools else "bash"}


def lay_showcase(path: Path, last: int | None = None, **fields: Any) -> RunFolder:
    """That run; with `last`, one that agrees with it up to there and then gives up."""
    steps = showcase()
    told: dict[str, Any] = {"score": {**score(0.71), "primary": "r2", "metrics": {"r2": 0.8316}},
                            "exit_reason": "submitted", "total_reward": 0.7386}  # fmt: skip
    if last is not None:
        other = "python train.py --quick"
        steps = [*steps[:last], acted(last, other, "r2 0.70\n", tool="bash", exit_code=0),
                 acted(last + 1, "submit", "test r2: 0.7012\n", terminated=True,
                       metrics={"r2": 0.7012}, reward=0.3)]  # fmt: skip
        told["score"] = {**score(0.3), "primary": "r2", "metrics": {"r2": 0.7012}}
        told["total_reward"] = 0.7373
    usage = {**RECORDED["usage"], "calls": len(steps), "input_tokens": 66_000, "cost_usd": 0.0711}
    run = lay_run(path, steps, **{"task": "house_price", "baseline": {"r2": 0.61}, "usage": usage,
                                  "agent": "toolcaller", "model": "model-large",
                                  "duration_s": 318.4,
                                  "steps": len(steps) - 1, **told, **fields})  # fmt: skip
    run.write_image(PLOT)
    (path / "log.txt").write_text("2026-02-25T06:13:20+00:00 began: toolcaller on house_price\n")
    return run
