"""What moves: a run that grows is followed, a server that is gone is said to be, a run leaves as
one file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gallery
import pytest
from gallery import SHOWCASE
from run_folders import BRIEF, acted, lay_run, score
from showcase import lay_showcase
from viewers import viewing

expect = pytest.importorskip("playwright.sync_api").expect


def ran(first: int, last: int) -> list:
    return [
        acted(n, f"echo {n}", f"{n}\n" * 12, tool="bash", exit_code=0) for n in range(first, last)
    ]


def test_a_running_episode_is_followed_until_it_ends(opened: Callable, tmp_path: Path) -> None:
    run = lay_run(
        tmp_path / "live", [BRIEF, *ran(1, 6)], exit_reason=None, status="unscored", score=None
    )
    with viewing(tmp_path) as viewer, run.held():
        window = opened(viewer.address)
        row = window.page.locator(".virtual .row")
        expect(row).to_contain_text("running")
        row.get_by_role("link").click()
        switch = window.page.get_by_role("switch")
        expect(switch).to_be_checked()
        newest = window.page.locator("article[aria-current=step]")
        gallery.grow(run, ran(6, 9))
        expect(newest).to_have_attribute("aria-label", "Step 8")
        expect(newest).to_be_in_viewport()
        # Who looks at something else is left there, and comes back by a key.
        window.press("g")
        expect(switch).not_to_be_checked()
        gallery.grow(run, ran(9, 12))
        expect(window.page.locator(".outline-line")).to_have_count(12)
        expect(newest).to_have_attribute("aria-label", "Step 0")
        window.press("f")
        expect(newest).to_have_attribute("aria-label", "Step 11")
        done = run.record() | {"exit_reason": "submitted", "status": "scored"}
        gallery.grow(run, [acted(12, "submit", "done\n", terminated=True)])
        run.write_record(done | {"score": score(0.9)})
        expect(window.page.locator(".figures")).to_contain_text("0.900")
        expect(newest).to_have_attribute("aria-label", "Step 12")
        expect(switch).to_have_count(0)


def test_a_new_run_appears_in_the_table_by_itself(opened: Callable, tmp_path: Path) -> None:
    root = tmp_path / "runs"
    root.mkdir()
    with viewing(root) as viewer:
        window = opened(viewer.address)
        expect(window.page.get_by_text("No runs yet")).to_be_visible()
        lay_run(root / "first", [BRIEF])
        expect(window.page.locator(".count")).to_have_text("1 run")


def test_a_server_that_is_gone_is_said_to_be_and_found_when_it_is_back(
    opened: Callable, tmp_path: Path
) -> None:
    lay_showcase(tmp_path / "a")
    with viewing(tmp_path) as viewer:
        window = opened(viewer.address)
        expect(window.page.locator(".count")).to_have_text("1 run")
    window.go("#/run/a")
    expect(window.page.get_by_role("alert")).to_contain_text("does not answer")
    with viewing(tmp_path, viewer.port) as again:
        # It has a new token: the page says so in the server's own words.
        expect(window.page.get_by_role("heading", name="cannot be shown")).to_be_visible()
        expect(window.page.get_by_role("alert")).to_be_hidden()
        window.page.goto(again.address)
        expect(window.page.locator(".count")).to_have_text("1 run")


def test_an_export_opens_from_a_file_with_every_step_and_asks_nobody(
    opened: Callable, window, tmp_path: Path
) -> None:
    window.go(f"#/run/{SHOWCASE}")
    with window.page.expect_download() as download:
        window.page.get_by_role("link", name="Export").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name == f"{SHOWCASE}.html"
    kept = opened(file.as_uri(), go=False, offline=True)
    kept.page.route("http://**", lambda route: route.abort())
    kept.page.goto(file.as_uri())
    assert kept.page.locator("article").first.is_visible()
    expect(kept.page.locator(".outline-line").first).to_be_visible()
    seen = set()
    for _ in range(16):
        seen |= set(kept.page.locator("article").evaluate_all("all => all.map(x => x.ariaLabel)"))
        kept.press("j")
    assert seen == {f"Step {number}" for number in range(16)}
    kept.page.goto(f"{file.as_uri()}#/?step=8")
    image = kept.page.locator("img")
    assert image.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 420
    assert {each for each in kept.asked if not each.startswith("data:")} == {file.as_uri()}
    assert kept.page.evaluate("window.violations ?? []") == []
