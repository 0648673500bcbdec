"""One run: its steps as a terminal and an editor would show them, its links and keys."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from gallery import OTHER, SHOWCASE

expect = pytest.importorskip("playwright.sync_api").expect


def step(window, number: int):
    return window.page.locator(f'article[aria-label="Step {number}"]')


def test_a_deep_link_opens_at_its_step(window) -> None:
    window.go(f"#/run/{SHOWCASE}?step=11")
    expect(step(window, 11)).to_have_class(re.compile("current"))
    expect(step(window, 11)).to_be_in_viewport()
    # It went back, and says whence.
    step(window, 11).get_by_role("button", name="from step 6").click()
    expect(step(window, 6)).to_be_in_viewport()
    assert window.page.url.endswith("?step=6")


def test_the_head_tells_what_came_of_it_and_the_baseline(window) -> None:
    window.go(f"#/run/{SHOWCASE}")
    figures = window.page.locator(".figures")
    for text in ("0.710", "0.8316", "baseline 0.61", "submitted", "$0.0711", "5 m 18 s"):
        expect(figures).to_contain_text(text)
    expect(window.page.locator(".curve .dot, .curve .beyond")).to_have_count(3)
    expect(window.page.locator(".curve .baseline")).to_have_count(1)


def test_keys_go_through_the_steps(window) -> None:
    window.go(f"#/run/{SHOWCASE}")
    expect(step(window, 0)).to_be_visible()
    current = window.page.locator("article[aria-current=step]")
    for keys, number in (("jjj", 3), ("k", 2), ("G", 15), ("g", 0)):
        window.press(*keys)
        expect(current).to_have_attribute("aria-label", f"Step {number}")
        expect(current).to_be_in_viewport()
    window.press("/")
    window.page.keyboard.type("cross_validate")
    expect(window.page.locator(".outline-line")).to_have_count(1)
    window.press("Enter")
    expect(current).to_have_attribute("aria-label", "Step 12")


def test_terminal_colours_are_shown_and_progress_only_as_it_ended(window) -> None:
    window.go(f"#/run/{SHOWCASE}?step=3")
    error = step(window, 3).get_by_text("ValueError", exact=True)
    expect(error).to_have_class("fg1 bold")
    window.go(f"#/run/{SHOWCASE}?step=12")
    output = step(window, 12).locator(".output")
    expect(output).to_contain_text("fold 5/5  ####################  100%")
    text = output.inner_text()
    assert "fold 1/5" not in text
    assert "\x1b" not in text
    assert "[32m" not in text


def test_edits_are_shown_as_what_they_changed(window) -> None:
    window.go(f"#/run/{SHOWCASE}?step=4")
    diff = step(window, 4).locator(".diff")
    expect(diff.locator("figcaption")).to_contain_text("/workspace/train.py")
    expect(diff.locator(".removed")).to_have_text(['-train = pd.read_csv("train.csv")'])
    expect(diff.locator(".added")).to_have_text(['+train = pd.read_csv("train.csv").fillna(0)'])


def test_images_that_the_agent_looked_at_are_shown(window) -> None:
    window.go(f"#/run/{SHOWCASE}?step=8")
    image = step(window, 8).locator("img")
    expect(image).to_be_visible()
    assert image.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 420


def test_a_long_output_is_folded_in_its_middle_and_unfolds(window) -> None:
    window.go(f"#/run/{SHOWCASE}?step=2")
    fold = step(window, 2).locator(".observation .fold")
    expect(fold).to_contain_text("11 more lines")
    fold.click()
    expect(step(window, 2).locator(".observation .output")).to_contain_text("10:test[[")


def test_of_five_thousand_steps_few_are_in_the_document(window) -> None:
    window.go("#/run/long?step=2500")
    expect(step(window, 2500)).to_be_in_viewport()
    assert window.page.locator("*").count() < 1500
    window.press("G")
    expect(step(window, 5000)).to_be_in_viewport()
    window.page.locator(".timeline").evaluate("(list) => { list.scrollTop = 0; }")
    expect(step(window, 0)).to_be_in_viewport()
    assert window.page.locator("*").count() < 1500


def test_two_runs_stand_side_by_side_with_their_first_difference_marked(window) -> None:
    window.go(f"#/run/{SHOWCASE}")
    expect(step(window, 0)).to_be_visible()
    window.press("c")
    expect(window.page.get_by_role("button", name="choose one more")).to_be_visible()
    window.press("/")
    window.page.keyboard.type("d4e5f6")
    window.page.get_by_label(f"Choose {OTHER}").check()
    window.page.get_by_role("button", name="Compare 2 runs").click()
    expect(window.page.locator(".parting")).to_contain_text("The same until step 9")
    window.press("n")
    mark = window.page.locator(".pair.first")
    expect(mark).to_contain_text("First difference: action and observation")
    expect(mark.locator("article")).to_have_count(2)
    expect(mark).to_contain_text("python train.py --quick")
    window.page.get_by_role("button", name="settings differ").click()
    expect(window.page.get_by_role("dialog")).to_contain_text("model-small")


def test_dark_follows_the_system_until_somebody_chooses(opened: Callable, address: str) -> None:
    ink = "getComputedStyle(document.body).backgroundColor"
    window = opened(address, color_scheme="dark")
    expect(window.page.locator(".count")).to_be_visible()
    dark = window.page.evaluate(ink)
    window.press("d")
    light = window.page.evaluate(ink)
    assert dark != light
    window.page.reload()
    expect(window.page.locator(".count")).to_be_visible()
    assert window.page.evaluate(ink) == light
