"""How soon the viewer can be seen: `make bench-view` prints it.

Milliseconds from the start of a page's loading, in a real browser, to the first picture of the view
with its data in it. Medians of five; the first, with nothing read beforehand, apart.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import gallery
from conftest import CHROMIUM

if TYPE_CHECKING:
    from playwright.sync_api import Page

SEEN = "performance.getEntriesByName({!r})[0]?.startTime ?? null"
RUNS, STEPS = 10_000, 5_000


def seen(page: Page, mark: str) -> float:
    while (found := page.evaluate(SEEN.format(mark))) is None:
        page.wait_for_timeout(50)
    return found


@contextmanager
def printed_by_a_viewer(root: Path) -> Iterator[str]:
    """The address that `mlgym view` prints, in a process of its own as a person has it."""
    command = [sys.executable, "-m", "mlgym", "view", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def main() -> None:
    from playwright.sync_api import sync_playwright

    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as below, sync_playwright() as player:
        root, late = Path(below), list[str]()
        gallery.lay_many(root / "many", RUNS)
        gallery.lay_long(root / "one" / "long", STEPS)
        browser = player.chromium.launch(executable_path=CHROMIUM, args=options)
        for folder, hash_, mark, what, limit in (
            ("many", "#/", "mlgym-runs", f"{RUNS:,} runs listed", 2000),
            ("one", "#/run/long", "mlgym-run", f"first paint of a run of {STEPS:,} steps", 1000),
        ):
            with printed_by_a_viewer(root / folder) as address:
                context = browser.new_context(viewport={"width": 1280, "height": 800})
                times: list[float] = []
                for _ in range(6):
                    page = context.new_page()
                    # The first comes by the printed address, as a person does.
                    home = address if not times else address.partition("?")[0]
                    page.goto(home + hash_)
                    times.append(seen(page, mark))
                    nodes = page.locator("*").count()
                    page.close()
                later = statistics.median(times[1:])
                print(f"{what}: {times[0]:.0f} ms at first, {later:.0f} ms later; {nodes} nodes")
                late += [what] if max(times[0], later) > limit else []
                context.close()
        browser.close()
    if late:
        busy = f"{os.getloadavg()[0]:.1f} processes want {os.cpu_count()} cores"
        sys.exit(f"later than promised: {', '.join(late)} ({busy})")


if __name__ == "__main__":
    main()
