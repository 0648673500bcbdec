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
