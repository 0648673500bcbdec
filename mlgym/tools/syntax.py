"""Asks a Python inside the sandbox whether a text is valid Python.

Never the host's: a hostile text can exhaust or crash the parser that reads it.
"""

from __future__ import annotations

from mlgym.tools.base import ToolContext

_CHECK = """
import sys
try:
    compile(sys.stdin.buffer.read(), "file", "exec", dont_inherit=True)
except (SyntaxError, ValueError) as error:
    line = getattr(error, "lineno", None) or 1
    print(f"line {line}: {getattr(error, 'msg', None) or error}")
"""
_LIMIT_S = 10.0
_LONGEST = 500


def python_error(context: ToolContext, text: str) -> str | None:
    """Where and why `text` is no Python, None where it is (or where that cannot be told)."""
    channel = context.sandbox.open(["python3", "-I", "-S", "-W", "ignore", "-c", _CHECK])
    channel.send(text.encode())
    channel.close_stdin()
    said = b""
    try:
        while piece := channel.recv(_LIMIT_S):
            said += piece
    except TimeoutError:
        channel.kill()
        return None
    return said.decode("utf-8", "replace").strip()[:_LONGEST] or None
