"""The model soup: what is laid out, which soups gain nothing, and what is refused."""

from __future__ import annotations

import csv
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlgym.sandbox.backends import load_backend
from mlgym.sandbox.base import SandboxSpec
from mlgym.sandbox.images import build_environment, load_image
from mlgym.task.data import Prepared, prepare
from mlgym.task.grading import ANSWERS_INSIDE, GRADER_INSIDE, KIT_INSIDE, kit_folder
from mlgym.task.spec import find_task

TASK = find_task("model_soup")
MINI = TASK.spec.profiles["mini"]
# What gains no more than a tenth of the way from the baseline to the target.
WORTHLESS = 0.9 * MINI.baseline["accuracy"] + 0.1 * MINI.target["accuracy"]
LAYERS = ("conv1", "conv2", "conv3", "head")
PAIRS = (
    ("turned_left", "turned_right"),
    ("halves_up", "halves_aside"),
    ("noisy", "speckled"),
)
COUNT = 11
NAMES = [f"model_{number:02}" for number in range(1, COUNT + 1)]

DRIVER = f"""\
import json, sys
from pathlib import Path

sys.path[:0] = ["{KIT_INSIDE}", "{GRADER_INSIDE}"]
import grade, mlgym_kit

def outcome(text):
    Path("weights.json").write_text(text)
    try:
        return grade.grade(Path("."), Path("{ANSWERS_INSIDE}"), "test", None)
    except mlgym_kit.SubmissionError as error:
        return str(error)

cases = json.loads(Path("cases.json").read_text())
print(json.dumps({{name: outcome(text) for name, text in cases.items()}}))
"""


def prepared(profile: str = "mini", data_seed: int = 0) -> Prepared:
    python = build_environment(load_image("torch"), print) / "bin" / "python"
    return prepare(TASK, profile, data_seed, python)


def arrays(path: Path) -> dict[str, Any]:
    with np.load(path) as file:
        return dict(file)


def table(data: Prepared) -> dict[str, dict[str, float]]:
    with (data.public / "accuracies.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {row.pop("name"): {key: float(cell) for key, cell in row.items()} for row in rows}


def best(accuracies: Mapping[str, Mapping[str, float]], categories: Sequence[str]) -> str:
    """The checkpoint that is best in the categories."""

    def mean(name: str) -> float:
        return sum(accuracies[name][category] for category in categories) / len(categories)

    return max(accuracies, key=mean)


def soup(shares: Mapping[str, Any]) -> dict[str, Any]:
    return {name: shares.get(name, 0) for name in NAMES}


UNIFORM = dict.fromkeys(NAMES, 1 / COUNT)


# What is laid out ----------------------------------------------------------------------------


def test_the_parts_share_no_item() -> None:
    data = prepared()
    parts = [arrays(data.public / "examples.npz")]
    parts += [arrays(data.private / f"{part}.npz") for part in ("validation", "test")]
    assert [len(part["labels"]) // 6 for part in parts] == [1200, 1000, 1800]
    seen = [
        {image.tobytes() for image in part["images"][part["categories"] == "turned_left"]}
        for part in parts
    ]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]


def test_every_item_is_seen_in_every_category() -> None:
    test = arrays(prepared().private / "test.npz")
    names, counts = np.unique(test["categories"], return_counts=True)
    assert len(names) == 6
    assert set(counts) == {1800}


def test_full_holds_the_whole_pool_and_another_seed_draws_others() -> None:
    shown = [table(prepared(*which)) for which in (("mini", 0), ("mini", 1), ("full", 0))]
    assert [len(found) for found in shown] == [COUNT, COUNT, 16]
    first, other, whole = ({tuple(row.values()) for row in found.values()} for found in shown)
    assert first != other
    assert first | other <= whole


def test_the_grader_has_the_architecture_that_the_agent_is_shown() -> None:
    files = [TASK.folder / place / "network.py" for place in ("workspace", "grader")]
    assert files[0].read_bytes() == files[1].read_bytes()


def outcomes(cases: Mapping[str, str]) -> dict[str, Any]:
    """What comes of each file, by a grader that is started once: it takes seconds to import."""
    mounts = (
        (kit_folder(), KIT_INSIDE),
        (prepared().private, ANSWERS_INSIDE),
        (TASK.folder / "grader", GRADER_INSIDE),
    )
    with tempfile.TemporaryDirectory() as folder:
        spec = SandboxSpec("torch", Path(folder), mounts, TASK.spec.limits())
        with load_backend("bubblewrap")(spec) as sandbox:
            sandbox.write("/workspace/cases.json", json.dumps(cases).encode())
            sandbox.write("/workspace/driver.py", DRIVER.encode())
            done = sandbox.run("python driver.py", 240)
            assert done.exit_code == 0, done.output
            return json.loads(done.output.splitlines()[-1])


# What is graded ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    accuracies = table(prepared())
    single = best(accuracies, list(accuracies[NAMES[0]]))
    experts = [best(accuracies, pair) for pair in PAIRS]
    third = dict.fromkeys(LAYERS, 1 / 3)
    cases: dict[str, Any] = {
        "uniform": UNIFORM,
        "uniform by layer": {name: dict.fromkeys(LAYERS, 1 / COUNT) for name in NAMES},
        "best single": soup({single: 1}),
        "experts": soup(dict.fromkeys(experts, 1 / 3)),
        "experts, by layer": soup(dict.fromkeys(experts, third)),
        "layers of different experts": soup(
            {
                name: {layer: float(k % len(experts) == mine) for k, layer in enumerate(LAYERS)}
                for mine, name in enumerate(experts)
            }
        ),
        "far away": soup({experts[0]: 10, experts[1]: -9}),
        "a sum that is nearly one": soup({single: 1.0009}),
    }
    cases |= {name: make for name, (make, _) in REFUSED.items()}
    texts = {name: case for name, case in cases.items() if isinstance(case, str)}
    return outcomes(texts | {n: json.dumps(case) for n, case in cases.items() if n not in texts})


REFUSED: dict[str, tuple[Any, str]] = {
    "a sum of two": (
        dict.fromkeys(NAMES, 2 / COUNT),
        "the weights of conv1 add up to 2, expected 1",
    ),
    "a sum of zero": (soup({}), "the weights of conv1 add up to 0, expected 1"),
    "one layer is short": (
        soup({NAMES[0]: {"conv1": 1, "conv2": 1, "conv3": 1, "head": 0.9}}),
        "the weights of head add up to 0.9",
    ),
    "huge": (soup({NAMES[0]: 1e30, NAMES[1]: -1e30}), "model_01: found 1e+30, expected a number"),
    "large, whole": (soup({NAMES[0]: 11}), "model_01: found 11, expected a number from -10 to 10"),
    "huge, whole": (soup({NAMES[0]: 10**4000}), "model_01: found a very large whole number"),
    "longer than can be read": ('{"model_01": ' + "9" * 5000 + "}", "is not JSON"),
    "infinite": (soup({NAMES[0]: math.inf}), "model_01: found inf, expected"),
    "no number": (soup({NAMES[0]: math.nan}), "model_01: found nan, expected a number from -10"),
    "a truth value": (soup({NAMES[0]: True}), "model_01: found true, expected"),
    "a text": (soup({NAMES[0]: "1"}), 'model_01: found "1", expected'),
    "a list": (soup({NAMES[0]: [1]}), "model_01: found a list, expected"),
    "lists in lists": (soup({NAMES[0]: json.loads("[" * 900 + "]" * 900)}), "found a list"),
    "null": (soup({NAMES[2]: None}), "model_03: found null, expected"),
    "a checkpoint of one's own": (
        UNIFORM | {"model_13": 0, "my_model": 0},
        "'model_13' is no checkpoint",
    ),
    "a path": (UNIFORM | {"../workspace/mine": 0}, "'../workspace/mine' is no checkpoint"),
    "a score": (UNIFORM | {"accuracy": 1}, "'accuracy' is no checkpoint"),
    "only a score": ({"accuracy": 0.99}, "'accuracy' is no checkpoint"),
    "a missing checkpoint": (
        dict.fromkeys(NAMES[:-1], 1 / (COUNT - 1)),
        "model_11 is missing",
    ),
    "a layer of one's own": (
        soup({NAMES[0]: dict.fromkeys([*LAYERS, "head.bias"], 1)}),
        "model_01: 'head.bias' is no layer",
    ),
    "a missing layer": (soup({NAMES[0]: {"conv1": 1}}), "model_01: conv2 is missing"),
    "a layer of layers": (
        soup({NAMES[0]: {layer: {"conv1": 1} for layer in LAYERS}}),
        "model_01, conv1: found an object, expected",
    ),
    "a name twice": (
        '{"model_01": 1, "model_01": 0}',
        "a key stands twice",
    ),
    "a list of numbers": ([1 / COUNT] * COUNT, "expected an object"),
    "no JSON": ("weights", "weights.json: is not JSON"),
    "nothing": ("", "weights.json: is not JSON"),
    "brackets": ("[" * 100_000, "weights.json: is not JSON"),
}


def test_the_uniform_soup_scores_the_committed_baseline(found: dict[str, Any]) -> None:
    for metric, value in MINI.baseline.items():
        assert found["uniform"][metric] == pytest.approx(value, abs=0.002)


def test_weights_by_layer_are_the_same_soup(found: dict[str, Any]) -> None:
    assert found["uniform by layer"] == found["uniform"]
    assert found["experts, by layer"] == found["experts"]


def test_experts_together_beat_each_checkpoint_alone(found: dict[str, Any]) -> None:
    assert found["experts"]["accuracy"] > found["best single"]["accuracy"] + 0.01
    assert found["experts"]["accuracy"] > found["uniform"]["accuracy"] + 0.01


def test_going_far_beyond_an_expert_gains_nothing(found: dict[str, Any]) -> None:
    assert found["far away"]["accuracy"] <= WORTHLESS


def test_layers_of_different_experts_are_worse_than_their_soup(found: dict[str, Any]) -> None:
    mixed = found["layers of different experts"]["accuracy"]
    assert mixed < found["experts"]["accuracy"] - 0.01


def test_a_sum_that_is_off_by_rounding_is_made_one(found: dict[str, Any]) -> None:
    assert found["a sum that is nearly one"] == found["best single"]


@pytest.mark.parametrize("name", REFUSED)
def test_bad_weights_are_refused_with_their_place(found: dict[str, Any], name: str) -> None:
    assert REFUSED[name][1] in found[name]
