"""The how-to on Ray, run as it is written, and the script that it names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def run(command: list[str], cwd: Path, address: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "PATH": path, "RAY_ADDRESS": address},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_how_to_runs_as_it_is_written(cluster: Any, root: Path, tmp_path: Path) -> None:
    text = (root / "docs/how-to/ray.md").read_text(encoding="utf-8")
    script = ["set -e", 'mlgym() { python -m mlgym "$@"; }']
    for kind, title, body in BLOCK.findall(text):
        if title:
            script.append(f"cat > {title} <<'END'\n{body}END")
        elif kind == "sh":
            script.append(body)
    shown = run(["bash", "-c", "\n".join(script)], tmp_path, cluster.address)
    assert "['max_steps' 'max_steps' 'max_steps' 'max_steps']" in shown
    assert "cells     4: 4 scored" in shown
    suite = json.loads((tmp_path / "runs/far/suite.json").read_text())
    assert len(suite["cells"]) == 4


def test_the_overhead_is_measured_by_the_script(cluster: Any, root: Path, tmp_path: Path) -> None:
    words = ["--address", cluster.address, "--num-envs", "2", "--rounds", "3"]
    shown = run([sys.executable, str(root / "examples/ray_overhead.py"), *words], tmp_path, "")
    assert [line.split("  ")[0] for line in shown.splitlines()[1:]] == [
        "in this process",
        "1 actor",
        "2 actors",
    ]
