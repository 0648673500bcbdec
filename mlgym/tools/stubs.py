"""What answers in the shell where a tool's name is typed inside of a script."""

from __future__ import annotations

from pathlib import Path

from mlgym.sandbox.laid import laid_folder
from mlgym.tools.registry import TOOLS

_STUB = b"""#!/bin/sh
echo "${0##*/} is a tool, not a program: send it alone, as the whole action." >&2
exit 2
"""


def stubs_folder() -> Path:
    """An executable for each tool but the shell, in `$MLGYM_HOME`."""
    names = (tool.spec.name for tool in TOOLS if tool.spec.name != "bash")
    return laid_folder("stubs", dict.fromkeys(names, _STUB), mode=0o755)
