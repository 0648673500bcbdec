"""Writes a report into a folder: `report.md`, `report.json`, `report.html`, tables and figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlgym.errors import ConfigError
from mlgym.report.build import Report
from mlgym.report.formats import latex_document, markdown, to_csv, to_latex, to_markdown
from mlgym.report.page import to_html


def write_report(report: Report, out: Path) -> dict[str, Any]:
    """Write every file of the report, and give what `report.json` holds.

    What lies apart has its tables and figures in `apart-1/`, `apart-2/`, ...

    Raises:
        ConfigError: `out` cannot be written.
    """
    content = finite(report.to_json())
    try:
        out.mkdir(parents=True, exist_ok=True)
        for place, each in enumerate((report, *report.apart)):
            _write_parts(each, out if place == 0 else out / f"apart-{place}")
        _write(out / "report.json", json.dumps(content, indent=2, allow_nan=False) + "\n")
        _write(out / "report.md", to_page(report))
        _write(out / "report.html", to_html(report))
    except OSError as error:
        raise ConfigError(f"--out {out}: {error}") from error
    return content


def _write_parts(report: Report, folder: Path) -> None:
    tables, plots = folder / "tables", folder / "plots"
    tables.mkdir(parents=True, exist_ok=True)
    plots.mkdir(exist_ok=True)
    for table in report.tables:
        _write(tables / f"{table.name}.csv", to_csv(table))
        _write(tables / f"{table.name}.md", to_markdown(table))
        _write(tables / f"{table.name}.tex", to_latex(table))
    _write(tables / "all.tex", latex_document([table.name for table in report.tables]))
    for plot in report.plots:
        (plots / f"{plot.name}.png").write_bytes(plot.png)
        (plots / f"{plot.name}.svg").write_bytes(plot.svg)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def to_page(report: Report) -> str:
    """`report.md`."""
    return "\n".join([f"# MLGym report: {markdown(report.sheet.title)}", "", *_parts(report, "")])


def _parts(report: Report, folder: str) -> Iterator[str]:
    yield from (f"- {markdown(note)}" for note in report.notes)
    yield ""
    for table in report.tables:
        yield to_markdown(table)
    for plot in report.plots:
        yield f"![{markdown(plot.caption)}]({folder}plots/{plot.name}.png)\n"
    for place, other in enumerate(report.apart, 1):
        yield f"## Apart: {markdown(other.sheet.title)}\n"
        yield from _parts(other, f"apart-{place}/")


def finite(value: Any) -> Any:
    """`value` with every number that JSON cannot say as None."""
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {str(key): finite(each) for key, each in value.items()}  # pyright: ignore
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]  # pyright: ignore
    return value
