"""The rules for the agents that are shipped: short, and of public names only."""

import ast
from pathlib import Path

import pytest

import mlgym
from mlgym import catalog

LONGEST = 200
FILES = [file for folder in catalog.shelf("agents").values() for file in folder.rglob("*.py")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_an_agent_s_file_is_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_an_agent_imports_only_public_names(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "mlgym":
            assert node.module == "mlgym", f"line {node.lineno}"
            assert {name.name for name in node.names} <= set(mlgym.__all__), f"line {node.lineno}"
        elif isinstance(node, ast.Import):
            names = {name.name for name in node.names}
            assert not any(name.startswith("mlgym.") for name in names), f"line {node.lineno}"


@pytest.mark.parametrize("name", mlgym.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(mlgym, name) is not None
