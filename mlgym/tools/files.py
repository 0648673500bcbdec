"""Text files of the workspace as lines, and the window on one of them."""

from __future__ import annotations

from dataclasses import dataclass

from mlgym.sandbox.base import MB
from mlgym.tools.base import ActionError, EditorState, ToolContext

WINDOW = 100
MAX_BYTES = 4 * MB
_LONGEST_LINE = 2000


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file's lines without their ends, and how they ended."""

    lines: tuple[str, ...]
    ending: str = "\n"
    ends_with_newline: bool = True

    def text(self) -> str:
        joined = self.ending.join(self.lines)
        return joined + self.ending if self.lines and self.ends_with_newline else joined


def split_lines(text: str) -> tuple[str, ...]:
    """Lines cut at newlines only, so that form feeds and the like stay inside of a line."""
    return tuple(text.removesuffix("\n").split("\n")) if text else ()


def read_text(context: ToolContext, path: str) -> TextFile:
    """The text file at `path`.

    Raises:
        ActionError: it is not UTF-8.
        OSError: it cannot be read, or is larger than `MAX_BYTES`.
    """
    data = context.sandbox.read(path, MAX_BYTES)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ActionError(f"{path} is not a UTF-8 text (byte {error.start}).") from None
    ending = "\n"
    if "\r\n" in text and text.count("\r\n") == text.count("\n"):
        text, ending = text.replace("\r\n", "\n"), "\r\n"
    return TextFile(split_lines(text), ending, not text or text.endswith("\n"))


def absolute(context: ToolContext, path: str) -> str:
    """`path` as seen from the shell's current folder."""
    if path.startswith("/"):
        return path
    channel = context.sandbox.open(["pwd"])
    folder = b""
    while piece := channel.recv(10.0):
        folder += piece
    return f"{folder.decode('utf-8', 'replace').rstrip()}/{path.removeprefix('./')}"


def opened(editor: EditorState, name: str) -> str:
    """The path of the file on view. Raises ActionError where there is none."""
    if editor.path is None:
        raise ActionError(f'{name}: no file is open. Send first: open "<path>" [line]')
    return editor.path


def show(editor: EditorState, file: TextFile) -> str:
    """The window on the file: its name, its length, the lines with their numbers."""
    count = len(file.lines)
    first = max(1, min(editor.first_line, count - WINDOW + 1))
    editor.first_line = first
    last = min(count, first + WINDOW - 1)
    text = [f"[{editor.path}: {count} lines]"]
    if first > 1:
        text.append(f"({first - 1} lines above)")
    for number in range(first, last + 1):
        line = file.lines[number - 1]
        cut = "" if len(line) <= _LONGEST_LINE else f"[... {len(line) - _LONGEST_LINE} more]"
        text.append(f"{number}:{line[:_LONGEST_LINE]}{cut}")
    if last < count:
        text.append(f"({count - last} lines below)")
    return "\n".join(text) + "\n"


def centre(editor: EditorState, line: int) -> None:
    """Move the window so that `line` is in its middle."""
    editor.first_line = max(1, line - WINDOW // 2)
