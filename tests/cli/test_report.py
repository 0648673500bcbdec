"""`mlgym report`: files that can be trusted, from runs or from a file of scores."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

Mlgym = Callable[..., Any]
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>$\\frac{1}{0}$'


def lay(folder: Path, number: int, **fields: Any) -> None:
    place = (number * 7 % 10) / 10
    score = {"metrics": {"value": 10 * place}, "primary": "value", "normalized": place}
    record = {
        "task": f"task{number % 3}",
        "task_version": 1,
        "profile": "mini",
        "agent": "toolcaller",
        "model": f"model{number // 3 % 4}",
        "seed": number // 12,
        "status": "scored",
        "exit_reason": "submitted",
        "steps": 3,
        "score": score | {"split": "test"},
        "best_validation": score | {"split": "validation"},
        "baseline": {"value": 0.0},
        "usage": {"cost_usd": 0.1},
    }
    run = folder / f"run-{number:05}"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps(record | fields))
    (run / "trajectory.jsonl").write_text("")


def scores(path: Path, model: str = "m") -> Path:
    rows = [
        {"task": "t", "model": f"{model}{each % 2}", "seed": each // 2, "goal": "maximize"}
        | {"baseline": 1.0, "best": 2.0 + each, "last": None if each == 0 else 1.5}
        for each in range(6)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_every_file_is_written_and_json_prints_what_report_json_holds(
    mlgym: Mlgym, tmp_path: Path
) -> None:
    for number in range(36):
        lay(tmp_path / "runs", number)
    ran = mlgym("report", tmp_path / "runs", "--out", tmp_path / "out", "--json")
    assert ran.code == 0
    content = json.loads(ran.out)
    assert content == json.loads((tmp_path / "out" / "report.json").read_text())
    assert [set(each) for each in content["aup"]] == [
        {"model", "definition", "variant", "value", "low", "high"}
    ] * 5
    assert [each["model"] for each in content["aup"]] == [
        *(f"model{place}" for place in range(4)),
        "baseline",
    ]
    for each in content["aup"]:
        assert 0 <= each["low"] <= each["value"] <= each["high"] <= 1
    made = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {"report.md", "report.html", "aup.csv", "aup.md", "aup.tex", "all.tex"} <= made
    for plot in ("profiles_best_submission", "score_by_step", "score_by_cost"):
        assert {f"{plot}.png", f"{plot}.svg"} <= made
    assert (tmp_path / "out/plots/score_by_cost.png").read_bytes()[:4] == b"\x89PNG"


def test_the_same_runs_give_the_same_files(mlgym: Mlgym, tmp_path: Path) -> None:
    path = scores(tmp_path / "s.jsonl")
    for out in ("a", "b"):
        assert (
            mlgym("report", "--scores", path, "--aup", "paper", "--out", tmp_path / out).code == 0
        )
    for one in (each for each in (tmp_path / "a").rglob("*") if each.is_file()):
        assert one.read_bytes() == (tmp_path / "b" / one.relative_to(tmp_path / "a")).read_bytes()
    content = json.loads((tmp_path / "a" / "report.json").read_text())
    assert {(each["definition"], each["variant"]) for each in content["aup"]} == {
        ("paper", "best_attempt"),
        ("paper", "best_submission"),
    }


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_the_page_runs_nothing_and_fetches_nothing(mlgym: Mlgym, tmp_path: Path) -> None:
    path = scores(tmp_path / "s.jsonl", HOSTILE)
    assert mlgym("report", "--scores", path, "--out", tmp_path / "out").code == 0
    text = (tmp_path / "out" / "report.html").read_text()
    page = Tags()
    page.feed(text)
    names = {tag for tag, _ in page.seen}
    assert not names & {"script", "link", "iframe", "object", "base", "form", "a"}
    sources = [known["src"] or "" for _, known in page.seen if "src" in known]
    assert sources
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert not [key for _, known in page.seen for key in known if key.startswith("on")]
    assert "default-src 'none'" in text
    assert not re.search(r"url\(|@import", text)
    assert "<script" not in (tmp_path / "out" / "report.md").read_text()


def test_the_folder_itself_gets_the_report_by_default(mlgym: Mlgym, tmp_path: Path) -> None:
    lay(tmp_path / "runs", 0)
    ran = mlgym("report", tmp_path / "runs")
    assert ran.code == 0
    assert str(tmp_path / "runs" / "report" / "report.html") in ran.out
    assert "no interval" in ran.out
    assert "Too few runs for a claim" in ran.err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("nowhere",), "found no folder there"),
        (("--aup", "best"), "expected: strict or paper"),
        (("--scores", "nowhere.jsonl"), "No such file"),
        ((".", "--scores", "s.jsonl"), "never mixed"),
        ((".",), "no run was found"),
    ],
)
def test_a_mistake_in_the_call_is_exit_code_2(
    mlgym: Mlgym,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    named: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    scores(tmp_path / "s.jsonl")
    ran = mlgym("report", *words)
    assert ran.code == 2
    assert named in ran.err
