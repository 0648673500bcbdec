"""One page that holds a whole report: no script, no other file, nothing fetched, all escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape

from mlgym.report.build import Report
from mlgym.report.formats import visible
from mlgym.report.plots import Plot
from mlgym.report.tables import Table

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
h3 { margin-bottom: .2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { text-align: left; padding: .25rem .7rem; border-bottom: 1px solid var(--line); }
td { white-space: nowrap; } tbody tr:nth-child(even) { background: var(--soft); }
figure { margin: 1.5rem 0; } figure img { max-width: 100%; background: #fff; }
figcaption, .note { font-size: .85rem; opacity: .85; max-width: 60rem; }
.notes { border: 1px solid var(--line); border-left: .4rem solid #d55e00; padding: .5rem 1rem; }
"""


def to_html(report: Report) -> str:
    """The page."""
    title = f"MLGym report: {report.sheet.title}"
    body = "\n".join(_report(report, 1))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{_text(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def _report(report: Report, level: int) -> Iterator[str]:
    if report.notes:
        items = "".join(f"<li>{_text(note)}</li>" for note in report.notes)
        yield f'<div class="notes"><ul>{items}</ul></div>'
    yield from map(_figure, report.plots)
    yield from map(_table, report.tables)
    for other in report.apart:
        yield f"<h2>Apart: {_text(other.sheet.title)}</h2>"
        yield from _report(other, level + 1)


def _figure(plot: Plot) -> str:
    data = base64.b64encode(plot.svg).decode("ascii")
    caption = _text(plot.caption)
    return (
        f'<figure><img alt="{caption}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in table.head)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    note = f'<p class="note">{_text(table.note)}</p>' if table.note else ""
    return (
        f'<h3>{_text(table.title)}</h3>{note}<div class="wide"><table>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )


def _text(text: str) -> str:
    return escape(visible(text), quote=True)
