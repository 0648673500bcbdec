"""Tables for people and machines: nothing in a name is obeyed by what shows it."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mlgym.report.formats import latex, latex_document, markdown, to_csv, to_latex, to_markdown
from mlgym.report.tables import Table

HOSTILE = "a|b_c&d%$x$<script>`\\input{x}`~^#{}[y](z)\x1b\u202e\nnext"


def table(models: int = 2) -> Table:
    names = tuple(f"m{place}" for place in range(models - 1))
    head = ("task", "metric", *names, HOSTILE)
    row = ("t_1", "r2", *("1 [0, 2]" for _ in names), "–")
    records = ({"task": "t_1", "model": HOSTILE, "value": None, "low": 0.1},)
    return Table("best", "Best & first", head, (row, row), records, stub=2)


def test_latex_sets_every_sign_literally_and_needs_no_package() -> None:
    text = to_latex(table(9))
    assert text.isascii()
    assert "\\usepackage" not in text
    bare = re.sub(
        r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar)\{\}",
        "",
        text,
    )
    bare = re.sub(r"\\[&%$#_{}]", "", bare)
    assert not set("%$#~^_<>|") & set(bare)
    assert bare.count("{") == bare.count("}")
    # Nine models in tabulars of four columns, each with the columns that name a row.
    assert text.count("\\begin{tabular}{llllll}") == 2
    assert text.count("\\begin{tabular}{lll}") == 1
    assert "\\input{best}" in latex_document(["best"])


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex (texlive-latex-base)")
def test_latex_compiles(tmp_path: Path) -> None:
    (tmp_path / "best.tex").write_text(to_latex(table(9)))
    (tmp_path / "all.tex").write_text(latex_document(["best"]))
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "all.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "all.pdf").stat().st_size > 1000
    assert "Overfull" not in done.stdout


@pytest.mark.parametrize(
    ("text", "set_as"),
    [
        ("naïve 漢", "naive ?"),
        ("[0, 1]", "{}[0, 1]"),
        ("–", "--"),
        ('"q"', "{\\char34}q{\\char34}"),
    ],
)
def test_latex_of_letters_it_may_not_know(text: str, set_as: str) -> None:
    assert latex(text) == set_as


def test_markdown_keeps_a_row_on_one_line_and_shows_names_as_they_are() -> None:
    lines = to_markdown(table()).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 4
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert "<script" not in markdown(HOSTILE)
    assert "\\[y\\](z)" in markdown(HOSTILE)
    assert markdown("0.5 [0.4, 0.6]") == "0.5 [0.4, 0.6]"


def test_csv_holds_the_numbers_in_full_and_an_empty_field_for_none() -> None:
    (row,) = csv.DictReader(io.StringIO(to_csv(table())))
    assert row == {"task": "t_1", "model": HOSTILE, "value": "", "low": "0.1"}


def test_a_csv_field_is_no_formula() -> None:
    made = Table("t", "t", ("model",), (), ({"model": "=1+1"}, {"model": "-x"}, {"model": -1.5}))
    assert to_csv(made).splitlines() == ["model", "'=1+1", "'-x", "-1.5"]
