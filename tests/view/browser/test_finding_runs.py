"""The table and the matrix: runs are found, sorted, chosen; nobody gets in without the token."""

from __future__ import annotations

from collections.abc import Callable

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
SEEN = ".virtual .row"


def test_the_printed_address_opens_the_table_and_the_token_does_not_stay_in_it(
    opened: Callable, address: str
) -> None:
    window = opened(address)
    expect(window.page.locator(".count")).to_have_text("52 runs")
    assert window.page.url == window.home
    assert "token" not in window.page.content()


@pytest.mark.parametrize("query", ["", "?token=wrong"])
def test_without_the_right_token_there_is_one_sentence(
    opened: Callable, address: str, query: str
) -> None:
    window = opened(address, go=False)
    page = window.page
    answer = page.goto(window.home + query)
    assert answer.status == 403
    assert page.inner_text("body").count(".") == 1
    assert page.goto(window.home + "static/main.js").status == 403


def test_runs_are_found_by_task_model_state_and_words(window) -> None:
    page, count = window.page, window.page.locator(".count")
    page.get_by_label("Task", exact=True).select_option("house_price")
    expect(count).to_have_text("18 of 52 runs")
    page.get_by_label("Model", exact=True).select_option("model-small")
    expect(count).to_have_text("9 of 52 runs")
    page.get_by_role("button", name="cut off").click()
    expect(count).to_have_text("1 of 52 runs")
    expect(page.locator(SEEN)).to_contain_text("react")
    assert "task=house_price" in page.url
    page.get_by_role("button", name="Clear").click()
    expect(count).to_have_text("52 runs")
    window.press("/")
    page.keyboard.type("forecast format")
    expect(count).to_have_text("1 of 52 runs")
    page.keyboard.type(" nothing has this")
    expect(page.get_by_text("No run fits")).to_be_visible()


def test_a_filter_is_part_of_the_address(window) -> None:
    window.go("#/?task=forecast&status=infrastructure_failure&sort=score")
    expect(window.page.locator(".count")).to_have_text("2 of 52 runs")


def test_a_click_on_a_column_sorts_by_it_and_a_second_one_the_other_way(window) -> None:
    def scores() -> list[float]:
        texts = window.page.locator(f"{SEEN} .c-score").all_inner_texts()
        return [float(each) for each in texts if each != "–"]

    head = window.page.get_by_role("columnheader", name="Score")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    assert scores() == sorted(scores(), reverse=True)
    assert len(scores()) > 15
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert scores() == sorted(scores())


def test_keys_move_choose_and_open_runs(window) -> None:
    window.go("#/?task=house_price&sort=started_at&q=a1b2c3")
    expect(window.page.locator(SEEN)).to_have_count(1)
    window.press("Escape", "g", "j", "j", "k", "x", "j", "x")
    expect(window.page.locator(".row.chosen")).to_have_count(2)
    expect(window.page.locator(".row.active")).to_have_attribute("id", "row-2")
    window.press("k", "Enter")
    expect(window.page.locator("h1")).to_be_visible()
    assert "#/run/" in window.page.url
    window.press("?")
    expect(window.page.get_by_role("dialog")).to_contain_text("first difference")
    window.press("Escape", "r")
    expect(window.page.locator(".count")).to_be_visible()


def test_the_matrix_has_a_mean_for_each_task_and_player_and_leads_to_its_runs(window) -> None:
    window.press("s")
    table = window.page.locator("table.cells")
    expect(table.locator("thead th")).to_have_count(5)
    row = table.get_by_role("row", name="forecast")
    # Its infrastructure failure is no score of the three, and no zero.
    cell = row.locator("td").nth(1)
    expect(cell).to_contain_text("n = 3")
    expect(cell.get_by_title("1 infrastructure failure")).to_be_visible()
    cell.get_by_role("link").click()
    expect(window.page.locator(".count")).to_have_text("4 of 52 runs")


def test_a_run_that_is_not_there_is_said_and_so_is_a_broken_one(window) -> None:
    window.go("#/run/..%2F..%2Fetc")
    expect(window.page.get_by_role("heading", name="This run cannot be shown")).to_be_visible()
    window.go("#/run/broken-run")
    expect(window.page.get_by_role("alert").filter(has_text="run.json")).to_be_visible()
    expect(window.page.get_by_role("heading", name="No steps")).to_be_visible()
