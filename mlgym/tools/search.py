"""Finding things: search_dir, search_file, find_file. The search itself runs inside the sandbox."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from mlgym.tools.base import ToolContext
from mlgym.tools.files import opened
from mlgym.tools.words import Word, WordTool
from mlgym.types import ToolResult

_LIMIT_S = 60.0
_SCRIPT = r"""
import fnmatch, os, stat, sys
mode, term, path = sys.argv[1:]
MOST = 100
def texts(root):
    if os.path.isfile(root):
        yield root
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield os.path.join(folder, name)
def lines(file):
    # Pipes and devices are not opened: reading them might never end.
    if not stat.S_ISREG(os.stat(file).st_mode):
        return
    with open(file, "rb") as opened:
        if b"\0" in opened.read(1024):
            return
        opened.seek(0)
        for number, line in enumerate(opened, 1):
            yield number, line.decode("utf-8", "replace").rstrip("\r\n")
if not os.path.exists(path):
    sys.exit(f"{path}: no such file or folder")
if mode == "find_file":
    found = [f for f in texts(path)
             if fnmatch.fnmatch(os.path.basename(f), term) or os.path.basename(f) == term]
    print(f"{len(found)} file(s) named {term!r} in {path}")
    print(*found[:MOST], sep="\n")
    if len(found) > MOST:
        print(f"... and {len(found) - MOST} more")
    sys.exit()
shown = total = files = 0
out = []
for file in texts(path) if mode == "search_dir" else [path]:
    before = total
    try:
        for number, line in lines(file):
            if term in line:
                total += 1
                if shown < MOST:
                    shown += 1
                    out.append(f"{file}:{number}:{line[:300]}")
    except OSError:
        continue
    files += total > before
print(f"{total} line(s) with {term!r} in {files} file(s) of {path}")
print(*out, sep="\n")
if total > shown:
    print(f"... and {total - shown} more")
"""


def _run(context: ToolContext, mode: str, term: str, path: str) -> ToolResult:
    limit = min(_LIMIT_S, context.command_s)
    channel = context.sandbox.open(["python3", "-I", "-S", "-c", _SCRIPT, mode, term, path])
    deadline = time.monotonic() + limit
    output = b""
    try:
        while piece := channel.recv(max(0.0, deadline - time.monotonic())):
            output += piece
    except TimeoutError:
        channel.kill()
        return ToolResult(f"{mode}: no end after {limit:g} s; search a smaller folder.\n")
    status = channel.status(5.0)
    text = output.decode("utf-8", "replace")
    return ToolResult(text.rstrip("\n") + "\n" if not status else f"{mode}: {channel.stderr}")


def _search_dir(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    return _run(context, "search_dir", arguments["term"], arguments.get("path", "."))


def _search_file(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    path = arguments.get("path") or opened(context.editor, "search_file")
    return _run(context, "search_file", arguments["term"], path)


def _find_file(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    return _run(context, "find_file", arguments["name"], arguments.get("path", "."))


_TERM = Word("term", "The literal text to look for, within a line.")
TOOLS = (
    WordTool(
        "search_dir",
        "List the lines that hold a text, in all files of a folder (hidden ones excepted).",
        "search_dir <term> [dir]",
        (_TERM, Word("path", "The folder; the current one by default.", required=False)),
        _search_dir,
    ),
    WordTool(
        "search_file",
        "List the lines that hold a text, in one file.",
        "search_file <term> [file]",
        (_TERM, Word("path", "The file; the open one by default.", required=False)),
        _search_file,
    ),
    WordTool(
        "find_file",
        "List the files of a name (or a pattern such as *.py) below a folder.",
        "find_file <name> [dir]",
        (
            Word("name", "The file's name, or a pattern with * and ?."),
            Word("path", "The folder; the current one by default.", required=False),
        ),
        _find_file,
    ),
)
