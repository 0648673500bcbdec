"""`mlgym doctor`: what works on this machine, what is missing, and the command that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from mlgym.cli.options import Json
from mlgym.cli.output import plain, show, show_json

if TYPE_CHECKING:
    from mlgym.runs.health import Check

_MARKS = {"ok": "ok     ", "missing": "missing", "failed": "FAILED "}
DEFAULT_SANDBOX = "bubblewrap"


def doctor(json: Json = False) -> None:
    """Look at this machine. Exit code 3 if the default sandbox does not work on it."""
    from mlgym.runs.health import examine

    checks: list[Check] = []
    for check in examine():
        checks.append(check)
        if not json:
            _show(check)
    works = all(
        check.status != "failed" for check in checks if check.name == f"sandbox {DEFAULT_SANDBOX}"
    )
    if json:
        show_json(
            {
                "ok": works,
                "default_sandbox": DEFAULT_SANDBOX,
                "checks": [
                    {
                        "name": check.name,
                        "status": check.status,
                        "detail": check.detail,
                        "mend": check.mend,
                    }
                    for check in checks
                ],
            }
        )
    else:
        show("")
        show(
            f"runs in the default sandbox, {DEFAULT_SANDBOX}, {'work' if works else 'do NOT work'}"
        )
    if not works:
        raise typer.Exit(3)


def _show(check: Check) -> None:
    first, *rest = plain(check.detail).split("\n")
    show(f"{_MARKS[check.status]}  {check.name}: {first}")
    for line in rest:
        show(f"           {line}")
    if check.mend:
        show(f"           mend: {check.mend}")
