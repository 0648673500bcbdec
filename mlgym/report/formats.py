"""A table as CSV, Markdown and LaTeX. What agents and files named themselves is escaped."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence

from mlgym.report.tables import NOTHING, Table

_WIDEST = 4
_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"{\char34}",
    **{sign: f"\\{sign}" for sign in "&%$#_"},
}
_MARKDOWN = re.compile(r"([\\`*_<>|~$&])")


def to_csv(table: Table) -> str:
    """The records, numbers in full; None is an empty field."""
    out = io.StringIO()
    names = list(table.records[0]) if table.records else list(table.head)
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _safe(value) for key, value in each.items()} for each in table.records)
    return out.getvalue()


def _safe(value: object) -> object:
    """A text that a spreadsheet would take for a formula gets a mark in front."""
    if isinstance(value, str):
        value = value.encode("utf-8", "backslashreplace").decode()
        return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
    return value


def to_markdown(table: Table) -> str:
    """The rows as a table of GitHub's kind, title and note around it."""
    lines = [table.head, ("---",) * len(table.head), *table.rows]
    marks = [
        "| " + " | ".join(each if row is lines[1] else markdown(each) for each in row) + " |"
        for row in lines
    ]
    note = [f"{markdown(table.note)}", ""] if table.note else []
    return "\n".join([f"### {markdown(table.title)}", "", *note, *marks, ""])


def markdown(text: str) -> str:
    """`text` on one line, with nothing in it that Markdown or HTML would obey."""
    made = _MARKDOWN.sub(r"\\\1", visible(text)).replace("\\&", "&amp;").replace("\\<", "&lt;")
    return made.replace("[", "\\[").replace("]", "\\]") if "](" in made else made


def visible(text: str) -> str:
    """`text` on one line, control characters and marks of direction as question marks."""
    text = " ".join(text.split())
    return "".join(sign if unicodedata.category(sign)[0] != "C" else "?" for sign in text)


def to_latex(table: Table) -> str:
    """Tabulars without a package: of a wide table several, below each other."""
    parts = [_tabular(table, columns) for columns in _blocks(table)]
    note = f"\n\n{latex(table.note)}" if table.note else ""
    title = f"\\noindent\\textbf{{{latex(table.title)}}}"
    return f"{title}{note}\n\n" + "\n\n".join(parts) + "\n"


def latex_document(names: Sequence[str]) -> str:
    """A document that holds the tables in the files of these names."""
    inputs = "\n\\bigskip\n".join(f"\\input{{{name}}}" for name in names)
    return (
        "\\documentclass[10pt]{article}\n"
        "\\usepackage[a4paper,landscape,margin=1.5cm]{geometry}\n"
        f"\\begin{{document}}\n\\scriptsize\n{inputs}\n\\end{{document}}\n"
    )


def _blocks(table: Table) -> Iterator[list[int]]:
    """Which columns stand in each tabular: those that name the row in every one."""
    stub, wide = list(range(table.stub)), list(range(table.stub, len(table.head)))
    for start in range(0, max(1, len(wide)), _WIDEST):
        yield stub + wide[start : start + _WIDEST]


def _tabular(table: Table, columns: Sequence[int]) -> str:
    def line(row: Sequence[str]) -> str:
        return " & ".join(latex(row[column]) for column in columns) + r" \\"

    shape = "l" * len(columns)
    body = "\n".join(map(line, table.rows))
    return (
        f"\\noindent\\begin{{tabular}}{{{shape}}}\n\\hline\n{line(table.head)}\n\\hline\n{body}\n"
        "\\hline\n\\end{tabular}"
    )


def latex(text: str) -> str:
    """`text` as LaTeX sets it literally, in ASCII: what has no near letter there is a `?`."""
    text = visible(text).replace(NOTHING, "--")
    words = "".join(_TEX.get(sign, sign) for sign in text)
    plain = unicodedata.normalize("NFKD", words)
    kept = (sign for sign in plain if not unicodedata.combining(sign))
    made = "".join(sign if sign.isascii() else "?" for sign in kept)
    # What begins with a bracket or a star would be taken for an argument of the line before.
    return f"{{}}{made}" if made[:1] in "[*" and made else made
