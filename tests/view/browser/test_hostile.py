"""Trajectories made to take over the page: they are read as text, run nothing and fetch nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_folders import BRIEF, acted, lay_run, score
from showcase import PLOT
from viewers import viewing

from mlgym.types import Image

expect = pytest.importorskip("playwright.sync_api").expect

EVIL = "http://evil.example"
PAYLOADS = (
    "<script>window.pwned = 1</script>",
    "</script><script>window.pwned = 1</script>",
    "<!--<script>window.pwned = 1</script>",
    "]]><img src=x onerror='window.pwned = 1'>",
    f'"><img src="{EVIL}/pixel.png" onload="window.pwned = 1">',
    "<svg/onload=window.pwned=1><animate onbegin=alert(1) attributeName=x dur=1s>",
    f"<iframe srcdoc='<script>parent.pwned = 1</script>' src='{EVIL}'></iframe>",
    f"<style>@import url('{EVIL}/a.css'); * {{ background: url({EVIL}/b) }}</style>",
    f"</style><link rel=stylesheet href={EVIL}/c.css><base href='{EVIL}/'>",
    f"<meta http-equiv=refresh content='0;url={EVIL}'><form action={EVIL}><input autofocus>",
    "<details open ontoggle=alert(1)><a href='javascript:window.pwned=1'>x</a>",
    "[click](javascript:window.pwned=1) ![x](http://evil.example/y.png)",
    f"x; background: url({EVIL}/d); --x: '\\",
    f"\x1b]8;;{EVIL}\x1b\\link\x1b]8;;\x1b\\ \x1b]0;title\x07 \x9b31m \x1bP$q\x1b\\ \x1b[8mhidden",
    "\u202egnp.exe\u202c \u2066x\u2069 \u200e\ufeff soft\u00adhyphen \u2028 \u2029 \udc80",
    "{{constructor.constructor('window.pwned=1')()}} ${window.pwned=1} `${alert(1)}`",
    "__proto__",
)
ALL = "\n".join(PAYLOADS)
NAME = "<img src=x onerror=window.pwned=1>"
FORBIDDEN = """
[...document.querySelectorAll(
  "iframe, object, embed, base, form, body style, svg script, main script"
)]
  .concat([...document.querySelectorAll("a")].filter((each) =>
    !/^(#\\/|\\/export\\?id=)/.test(each.getAttribute("href"))))
  .concat([...document.querySelectorAll("img")].filter((each) =>
    !/^(\\/api\\/image\\?id=|data:image\\/)/.test(each.getAttribute("src"))))
  .concat([...document.querySelectorAll("*")].filter((each) =>
    [...each.attributes].some((attribute) => attribute.name.startsWith("on"))))
  .map((each) => each.outerHTML.slice(0, 200))
"""


def lay_hostile(path: Path) -> None:
    """Every text that a run's folder can hold, made of payloads."""
    picture = Image("image/png", b"\x89PNG\r\n\x1a\n<script>window.pwned = 1</script>")
    steps = [acted(n, text, text, thought=text, tool=text) for n, text in enumerate(PAYLOADS, 1)]
    last = len(steps)
    written = f"/{NAME} was written.\n[/x: 1 lines]\n1:{NAME}\n"
    metrics = {**dict.fromkeys(PAYLOADS, 0.5), "value": 1.0}
    steps += [
        acted(last + 1, f"create '{NAME}'\n<<END\n{ALL}\nEND", written, tool="create"),
        acted(last + 2, "validate", ALL, tool="validate", metrics=metrics),
        acted(last + 3, "view_image a.png", "", tool="view_image", image=picture.name),
        acted(last + 4, "view_image b.png", ALL, tool="view_image", image=PLOT.name),
    ]  # fmt: skip
    said = dict.fromkeys(("agent", "exit_reason", "profile"), ALL)
    made: dict[str, Any] = {"score": {**score(0.5), "primary": NAME, "metrics": {NAME: 1.0}},
                            "baseline": {NAME: 0.1, "__proto__": 3}, "started_at": ALL,
                            "versions": dict.fromkeys(PAYLOADS, ALL)}  # fmt: skip
    run = lay_run(path, [BRIEF, *steps], task=NAME, model=PAYLOADS[1], **said, **made)
    run.write_image(picture)
    run.write_image(PLOT)
    (path / "log.txt").write_bytes(ALL.encode("utf-8", "surrogatepass"))


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    lay_hostile(root / "suite" / NAME)
    lay_hostile(root / "suite" / '"><svg onload=alert(1)> ..%2f &amp; #?')
    (root / "suite" / "b<script>").mkdir()
    (root / "suite" / "b<script>" / "run.json").write_text(ALL.encode("utf-8", "replace").decode())
    cell = {"task": NAME, "agent": ALL, "model": PAYLOADS[3], "seed": PAYLOADS[0]}
    (root / "suite" / "suite.json").write_text(json.dumps({"cells": [cell, None, 3]}))
    return root


def read_through(window: Any, first: int, last: int) -> None:
    """Every step, long ones unfolded."""
    page = window.page
    for number in range(first, last + 1):
        expect(page.locator(f'article[aria-label="Step {number}"] .waiting')).to_have_count(0)
        window.press("j")
    for fold in page.locator(".fold").all()[:3]:
        fold.click()
    assert page.evaluate(FORBIDDEN) == []
    assert "\u202e" not in page.inner_text("body")


def test_what_a_trajectory_says_is_shown_and_never_obeyed(opened: Callable, hostile: Path) -> None:
    with viewing(hostile) as viewer:
        window = opened(viewer.address)
        page = window.page
        expect(page.locator(".count")).to_have_text("3 runs")
        assert NAME in page.locator(".grid").inner_text()
        page.get_by_label("Model", exact=True).select_option(PAYLOADS[1])
        expect(page.locator(".count")).to_have_text("2 of 3 runs")
        assert page.evaluate(FORBIDDEN) == []
        window.press("g", "x", "j", "x", "Enter")
        expect(page.locator("h1")).to_have_text(NAME)
        read_through(window, 0, len(PAYLOADS) + 4)
        expect(page.get_by_text("The image cannot be shown.")).to_be_visible()
        for name in ("Log", "Record"):
            page.get_by_role("button", name=name).click()
            expect(page.get_by_role("dialog")).to_contain_text("window.pwned")
            window.press("Escape")
        window.go("#/suite")
        expect(page.locator("table.cells tbody th")).to_have_text([NAME])
        assert page.evaluate(FORBIDDEN) == []
        expect(page.locator(".suite-cell")).to_have_text(["0.500n = 2", "no scoren = 01 to come"])
        page.locator(".suite-cell").first.click()
        for place in range(2):
            page.get_by_role("checkbox").nth(place).check()
        window.press("c")
        expect(page.locator(".parting")).to_contain_text("No difference")
        assert page.evaluate(FORBIDDEN) == []
        assert page.evaluate("({}).value") is None


def test_no_text_becomes_markup_by_a_mistake_of_the_page_either(window: Any) -> None:
    mistake = """async () => {
      const told = new Promise((seen) => addEventListener("securitypolicyviolation", seen));
      try { document.querySelector("main").innerHTML = "<b>x</b>"; } catch (error) {
        await told;
        window.violations = [];
        return error.name;
      }
      return "markup";
    }"""
    expect(window.page.locator(".count")).to_be_visible()
    assert window.page.evaluate(mistake) == "TypeError"


def test_an_exported_trajectory_is_as_harmless(
    opened: Callable, hostile: Path, tmp_path: Path
) -> None:
    file = tmp_path / "run.html"
    with viewing(hostile) as viewer:
        answer = viewer.ask("/export", id=f"suite/{NAME}")
    file.write_bytes(answer.body)
    window = opened(file.as_uri())
    expect(window.page.locator("h1")).to_have_text(NAME)
    read_through(window, 0, len(PAYLOADS) + 4)
    assert window.page.locator("script").count() == 0
