"""The examples that train a language model run, only shorter; a saved model runs agents."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlgym.errors import ConfigError, ModelError
from mlgym.models.local import NEEDED, LocalModel
from mlgym.models.registry import ModelSettings

for library in NEEDED:
    pytest.importorskip(library, reason=f"needs {library}: pip install 'mlgym[local]'")
pytestmark = pytest.mark.timeout(900)


def played(root: Path, folder: Path, script: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, root / "examples" / script, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def small(root: Path, folder: Path) -> Any:
    """A model of two layers that knows nothing, made as the examples make theirs."""
    code = "import sys; from pathlib import Path; from small_lm import make_tiny;"
    code += "make_tiny(0, 'cpu', count=40, steps=1).save(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, folder], cwd=root / "examples", check=True)


def test_a_language_model_is_trained_beside_its_control(root: Path, tmp_path: Path) -> None:
    words = ("--seeds", "1", "--updates", "2", "--episodes", "4", "--threads", "1", "--out", "out")
    told = played(root, tmp_path, "train_lm.py", *words)
    assert "learning, seed 0, update 2/2: return " in told
    assert "shuffled, seed 0: first quarter " in told
    runs = json.loads((tmp_path / "out" / "curve.json").read_text())["runs"]
    assert [(run["arm"], len(run["updates"])) for run in runs] == [("learning", 2), ("shuffled", 2)]
    # Both arms begin with the same model and the same episodes.
    assert runs[0]["updates"][0]["returns"] == runs[1]["updates"][0]["returns"]
    rows = list(csv.DictReader((tmp_path / "out" / "curve.csv").open()))
    assert len(rows) == 4
    assert (tmp_path / "out" / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_script_trains_smollm2(root: Path, tmp_path: Path) -> None:
    words = ("--model", "smollm2", "--control", "none", "--seeds", "1", "--updates", "1")
    shape = ("--episodes", "2", "--steps", "1", "--epochs", "1", "--out", "out")
    told = played(root, tmp_path, "train_lm.py", *words, *shape)
    assert "134,515,008 parameters" in told
    assert "learning, seed 0, update 1/1: return " in told


def test_a_model_is_rolled_out_trained_on_its_best_runs_and_rolled_out_again(
    root: Path, tmp_path: Path
) -> None:
    words = ("--runs", "6", "--rounds", "1", "--best", "2", "--min-score", "-9", "--updates", "2")
    told = played(root, tmp_path, "rejection_sampling.py", *words, "--jobs", "1", "--out", "out")
    assert "$ mlgym export out/runs-0 --format sft --each-reply --best 2" in told
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert [len(each["returns"]) for each in figures["rounds"]] == [6, 6]
    rows = [json.loads(line) for line in (tmp_path / "out" / "best-0.jsonl").open()]
    assert 0 < len(rows) <= 4
    assert {row["model"] for row in rows} == {"local/out/model-0"}


def test_a_saved_folder_is_a_model(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    small(root, folder)
    model = LocalModel(f"local/{folder}", ModelSettings.make(max_tokens=4, temperature=1.0))
    assert model.context_window == 512
    reply = model.complete([{"role": "user", "content": "Win more."}])
    assert 0 < reply.usage.output_tokens <= 4 < reply.usage.input_tokens
    template = folder / "chat_template.jinja"
    template.unlink()
    with pytest.raises(ModelError, match="has no chat template"):
        LocalModel(f"local/{folder}", ModelSettings.make()).complete([])
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no causal language model"):
        LocalModel(f"local/{folder}", ModelSettings.make()).complete([])
    with pytest.raises(ConfigError, match=r"has no config\.json"):
        LocalModel(f"local/{tmp_path}", ModelSettings.make())
