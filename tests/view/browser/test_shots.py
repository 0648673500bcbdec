"""The pictures of the docs, made by `make screenshots`: here they are only looked at."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from gallery import OTHER, SHOWCASE

expect = pytest.importorskip("playwright.sync_api").expect

LARGEST = 200_000
VIEWS = {
    "runs": "#/?sort=-score",
    "run": f"#/run/{SHOWCASE}?step=11",
    "suite": "#/suite",
    "compare": f"#/compare/{SHOWCASE}/{OTHER}?step=9",
}
SHOTS = (("light", tuple(VIEWS)), ("dark", ("run", "compare")))


def test_every_view_can_be_pictured_in_light_and_in_dark(
    opened: Callable, address: str, tmp_path: Path
) -> None:
    folder = Path(os.environ.get("MLGYM_SHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    for scheme, names in SHOTS:
        window = opened(address, color_scheme=scheme, timezone_id="UTC")
        window.page.set_viewport_size({"width": 1280, "height": 720})
        for name in names:
            window.go(VIEWS[name])
            expect(window.page.locator(".view")).to_be_visible()
            expect(window.page.locator(".loading, .view .spinner, .waiting")).to_have_count(0)
            window.page.mouse.move(0, 0)
            path = folder / f"{name}{'-dark' if scheme == 'dark' else ''}.png"
            window.page.screenshot(path=path, animations="disabled")
            assert path.stat().st_size < LARGEST
