"""One run as one page: all of it inside, nothing asked for, no script but its own."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from run_folders import BRIEF, acted, lay_run
from viewers import PNG, Viewer

from mlgym.types import Image
from mlgym.view.export import file_name
from mlgym.view.server import static_files

HOSTILE = (
    "</script><script>alert(1)</script><!--<img src=https://evil.example/x> \u2028 &lt; \ud800"
)


class Page(HTMLParser):
    """The elements of a page, and what stands in its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._within = str(dict(attrs).get("type") or tag)

    def handle_data(self, data: str) -> None:
        self.texts[self._within] = self.texts.get(self._within, "") + data

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._within = ""


@pytest.fixture
def page(viewer: Viewer, runs: Path) -> Page:
    image = Image("image/png", PNG)
    steps = [BRIEF, acted(1, HOSTILE, HOSTILE, thought=HOSTILE, image=image.name)]
    steps += [acted(step, f"echo {step}") for step in range(2, 250)]
    run = lay_run(runs / "a", steps, model=HOSTILE)
    run.write_image(image)
    run.write_image(Image("image/png", b"none"))
    answer = viewer.ask("/export", id="a")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="a.html"'
    return Page(answer.body.decode())


def test_the_page_holds_the_whole_run(page: Page, viewer: Viewer) -> None:
    data = json.loads(page.texts["application/json"])
    assert data["run"] == viewer.json("/api/run", id="a")
    assert len(data["steps"]) == 250
    assert data["steps"][:200] == viewer.json("/api/steps", id="a")["steps"]
    assert data["steps"][1]["observation"] == HOSTILE
    (name,) = data["images"]
    assert data["images"][name] == "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[0-9:]+\+00:00", data["exported_at"])


def test_the_page_has_one_script_one_style_and_their_hashes(page: Page) -> None:
    assert [tag for tag, _ in page.elements].count("script") == 2
    (policy,) = [
        str(values["content"])
        for tag, values in page.elements
        if tag == "meta" and values.get("http-equiv") == "Content-Security-Policy"
    ]
    for kind, directive in (("module", "script-src"), ("style", "style-src")):
        digest = base64.b64encode(hashlib.sha256(page.texts[kind].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "connect-src" not in policy


def test_the_page_names_no_other_resource(page: Page) -> None:
    for _, values in page.elements:
        assert all((values.get(name) or "data:").startswith("data:") for name in ("src", "href"))
    assert not re.search(r"url\(|@import", page.texts["style"])
    assert not re.search(r"^\s*(import|export)\b", page.texts["module"], re.MULTILINE)
    assert "<" not in page.texts["application/json"]
    # The only address there is names a kind of element, and is never asked for.
    found = set(re.findall(r"https?://[^\"'` ]+", page.texts["module"] + page.texts["style"]))
    assert found <= {"http://www.w3.org/2000/svg"}


def test_the_modules_can_be_joined() -> None:
    files = static_files()
    modules = [name for name in files if name.endswith(".js")]
    assert sorted(files["modules.txt"].decode().split()) == sorted(modules)
    before: set[str] = set()
    names: list[str] = []
    for name in files["modules.txt"].decode().split():
        text = files[name].decode()
        assert not re.search(r"</script|<!--", text, re.IGNORECASE)
        imports = re.findall(r"^import \{[^}\n]*\} from \"\./([\w.-]+)\";$", text, re.MULTILINE)
        assert len(imports) == len(re.findall(r"^\s*import\b", text, re.MULTILINE)), name
        assert set(imports) <= before, name
        before.add(name)
        top = r"^(?:export )?(?:async )?(?:function\*?|const|let|class) +(\w+)"
        names += re.findall(top, text, re.MULTILINE)
    assert len(names) == len(set(names)), sorted(n for n in names if names.count(n) > 1)


def test_a_download_s_name_is_harmless() -> None:
    assert file_name("20260101-number-a.b") == "20260101-number-a.b.html"
    assert file_name('../x"\r\nSet-Cookie: a\ud800') == "x-Set-Cookie-a-.html"
    assert file_name("...") == "run.html"
