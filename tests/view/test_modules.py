"""The page's files: modules that work joined into one script too, where no name is there twice."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

STATIC = Path("mlgym/view/static")
IMPORT = re.compile(r'^import \{([\w, ]+)\} from "\./([\w-]+\.js)";$', re.MULTILINE)
TOP = re.compile(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)
# What parses text as markup or code, or asks others than this server.
NEVER = re.compile(
    r"\.(?:inner|outer)HTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser"
    r"|createContextualFragment|srcdoc|https?://(?!www\.w3\.org/2000/svg)|window\.open"
)


@pytest.fixture(scope="module")
def modules(root: Path) -> dict[str, str]:
    names = (root / STATIC / "modules.txt").read_text().split()
    return {name: (root / STATIC / name).read_text("utf-8") for name in names}


def test_the_list_of_modules_names_every_one_after_those_that_it_imports(
    root: Path, modules: dict[str, str]
) -> None:
    assert set(modules) == {path.name for path in (root / STATIC).glob("*.js")}
    known: set[str] = set()
    for name, text in modules.items():
        wanted = {found for _, found in IMPORT.findall(text)}
        assert len(re.findall("^import", text, re.MULTILINE)) == len(wanted), name
        assert wanted <= known, name
        known.add(name)
    assert list(modules)[-1] == "main.js"


def test_no_name_at_the_top_of_a_module_is_there_twice(modules: dict[str, str]) -> None:
    names = Counter(name for text in modules.values() for name in TOP.findall(text))
    assert [name for name, count in names.items() if count > 1] == []


def test_every_import_is_exported_and_used(modules: dict[str, str]) -> None:
    for name, text in modules.items():
        for imported, source in IMPORT.findall(text):
            for each in imported.split(", "):
                assert re.search(
                    rf"^export (?:function|const|class) {each}\b", modules[source], re.M
                )
                assert len(re.findall(rf"\b{each}\b", text)) > 1, f"{name}: {each}"


def test_the_page_loads_all_modules_at_once_and_nothing_else(
    root: Path, modules: dict[str, str]
) -> None:
    page = (root / STATIC / "index.html").read_text()
    preloaded = re.findall(r'<link rel="modulepreload" href="/static/([\w-]+\.js)">', page)
    assert preloaded == list(modules)[:-1]
    assert set(re.findall(r'(?:href|src)="([^"]+)"', page)) == {
        "data:,", "/static/style.css", *(f"/static/{name}" for name in modules)
    }  # fmt: skip
    assert not re.search(r"<style|\son\w+=|style=", page)


def test_no_module_parses_markup_runs_text_or_names_another_server(
    modules: dict[str, str],
) -> None:
    assert {name: NEVER.findall(text) for name, text in modules.items() if NEVER.search(text)} == {}
