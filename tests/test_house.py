"""The house rules that a machine can hold: sizes, layers, import cost, the README's commands."""

from __future__ import annotations

import ast
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"litellm", "docker", "matplotlib", "torch", "jax", "ray", "trl", "verifiers"}
LONGEST = 300
REASON = "longer than 300 lines because"
SHELVES = ("mlgym", "tasks", "agents", "containers", "tests", "docs")


def python(code: str) -> str:
    """What `code` prints in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sources(root: Path) -> list[Path]:
    return sorted(path for shelf in SHELVES for path in (root / shelf).rglob("*.py"))


def test_no_file_is_longer_than_300_lines_without_a_reason_in_its_docstring(root: Path) -> None:
    too_long: dict[str, int] = {}
    for path in sources(root):
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        if lines > LONGEST and REASON not in (ast.get_docstring(ast.parse(text)) or ""):
            too_long[str(path.relative_to(root))] = lines
    assert not too_long


def test_no_file_of_a_page_is_longer_than_300_lines(root: Path) -> None:
    found = [path for kind in ("*.js", "*.css") for path in (root / "mlgym").rglob(kind)]
    lines = {path.name: path.read_text(encoding="utf-8").count("\n") for path in found}
    assert lines
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}


def test_every_module_of_the_package_says_what_it_owns(root: Path) -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in (root / "mlgym").rglob("*.py")}
    silent = [
        str(path.relative_to(root))
        for path, text in texts.items()
        if text.strip() and not ast.get_docstring(ast.parse(text))
    ]
    assert not silent


def test_imports_only_point_down(root: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("shelf", ["agents", "tasks", "containers"])
def test_shelves_are_data_and_never_imported_by_the_package(root: Path, shelf: str) -> None:
    found = [
        str(path.relative_to(root))
        for path in (root / "mlgym").rglob("*.py")
        if re.search(rf"^\s*(from|import) {shelf}\b", path.read_text(encoding="utf-8"), re.M)
    ]
    assert not found


def test_importing_mlgym_costs_at_most_150_ms_beyond_gymnasium() -> None:
    clock = "time.perf_counter()"
    code = f"import time, gymnasium; t = {clock}; import mlgym; print({clock} - t)"
    python(code)  # the first one may have to compile
    # The median: what a person waits for, whatever else the machine does at one moment.
    assert statistics.median(float(python(code)) for _ in range(5)) <= 0.15


def test_importing_mlgym_loads_no_heavy_library() -> None:
    loaded = json.loads(python("import mlgym, sys, json; print(json.dumps(list(sys.modules)))"))
    assert not HEAVY & {name.partition(".")[0] for name in loaded}


def test_the_help_text_needs_no_gymnasium() -> None:
    code = (
        "import sys, json\n"
        "from mlgym.cli.main import main\n"
        "sys.argv = ['mlgym', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "print(json.dumps(list(sys.modules)))"
    )
    loaded = json.loads(python(code).splitlines()[-1])
    assert not (HEAVY | {"gymnasium"}) & {name.partition(".")[0] for name in loaded}


def test_the_readme_s_two_commands_are_targets_of_the_makefile(root: Path) -> None:
    block = re.search(r"^```sh\n(.*?)^```$", (root / "README.md").read_text(), re.M | re.S)
    assert block, "README.md has no sh block"
    commands = [re.sub(r"\s*#.*", "", line) for line in block[1].splitlines()]
    assert commands == ["make demo", "make test"]
    targets = set(re.findall(r"^(\w+):", (root / "Makefile").read_text(), re.M))
    assert {command.removeprefix("make ") for command in commands} <= targets
