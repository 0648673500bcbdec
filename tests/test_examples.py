"""The training examples run as their first lines say, only shorter."""

import json
import subprocess
import sys

import pytest


def played(root, tmp_path, *words):
    script, *rest = words
    done = subprocess.run(
        [sys.executable, root / "examples" / script, *rest],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("ppo_cleanrl_style.py", "--total-timesteps", "32", "--num-steps", "4"), "update 1: "),
        (("a2c_sb3_style.py", "--total-timesteps", "20"), "20 steps: ep_rew_mean="),
    ],
)
def test_a_loop_of_another_library_s_style_runs(root, tmp_path, words, told):
    assert told in played(root, tmp_path, *words)


def test_the_tutorial_s_script_learns_and_draws_its_curve(root, tmp_path):
    words = ("--episodes", "4", "--seeds", "1", "--out", "curve.png")
    told = played(root, tmp_path, "learn_to_edit.py", *words)
    assert [line.split(":")[0] for line in told.splitlines()] == [
        "learning, seed 0",
        "random, seed 0",
    ]
    curves = json.loads((tmp_path / "curve.json").read_text())
    assert {name: [len(runs) for runs in found] for name, found in curves.items()} == {
        "learning": [4],
        "random": [4],
    }
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_figures_of_the_page_on_language_models_are_those_of_its_file(root):
    """Needs no torch: what was measured lies in the repository."""
    runs = json.loads((root / "docs/assets/language-model.json").read_text())["runs"]
    page = (root / "docs/how-to/train-a-language-model.md").read_text()
    found = {(run["arm"], run["seed"]): run for run in runs}
    assert sorted(found) == [(arm, seed) for arm in ("learning", "shuffled") for seed in range(3)]
    for seed in range(3):
        learning, control = found["learning", seed], found["shuffled", seed]
        means = [update["return"] for update in learning["updates"]]
        size = len(means) // 4
        assert learning["first_quarter"] == pytest.approx(sum(means[:size]) / size, abs=1e-3)
        assert learning["last_quarter"] > learning["first_quarter"]
        assert learning["last_quarter"] > control["last_quarter"]
        told = [learning["first_quarter"], learning["last_quarter"], control["last_quarter"]]
        assert " | ".join([f"| {seed}", *(f"{each:.3f}" for each in told)]) in page


def test_the_figures_of_the_page_on_rejection_sampling_are_those_of_its_file(root):
    rounds = json.loads((root / "docs/assets/rejection-sampling.json").read_text())["rounds"]
    page = (root / "docs/how-to/rejection-sampling.md").read_text()
    assert rounds[-1]["return"] > rounds[0]["return"]
    for each in rounds:
        assert f"| `{each['model']}` | {each['return']:.3f} |" in page
