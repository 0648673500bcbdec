"""What an attack is: one row of a table, and the words that the scripts of the rows share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Category = Literal["escape", "theft", "forgery", "exhaustion"]
SCRIPT = "/tmp/attack.py"
RUN = f"python {SCRIPT}"

CANARY = "canary-7c1e94d2b8"
"""In the host's environment, beside the answers, in grader and solution: nothing may say it."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One thing to try, and what must come of it besides what must come of every row.

    Either `actions` are what an agent sends, `script` being the Python that lies at `SCRIPT` for
    them; or `files` are what is handed in to a grader. `says` is a regular expression that the
    answers taken together must hold, `never` one that they must not.

    `alive` is what `echo alive` answers afterwards; None where the agent made its own shell deaf,
    so that it answers anything, in time. `later` is sent after a reset, and `later_says` is wanted
    of what it answers. `rest_s` is how long nothing may move after the last action, in seconds.
    `quick`: a command may take one second instead of a minute. `export`: the workspace is taken out
    as at the end of a run.

    In `actions` and `script`, a word such as `@PORT@` stands for what is known at run time only:
    see `hall.Hall.words`.
    """

    name: str
    category: Category
    actions: tuple[str, ...] = (RUN,)
    script: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    says: str = ""
    never: str = r"\bGAINED\b"
    alive: str | None = "alive\n"
    later: tuple[str, ...] = ()
    later_says: str = ""
    rest_s: float = 0.0
    quick: bool = False
    export: bool = False


def denied(name: str, script: str) -> Attack:
    """An escape whose script tells of every attempt by `tell`: all of them must be refused."""
    return Attack(name, "escape", script=script, says=r"\brefused\b")


def program(name: str, text: str, says: str) -> Attack:
    """A submitted program: refused with certain words, or scored as the honest one."""
    return Attack(name, "forgery", (), files={"program.py": text.encode()}, says=says)


def greedy(
    name: str,
    *actions: str,
    script: str = "",
    says: str = "",
    never: str = r"\bGAINED\b",
    quick: bool = False,
    alive: str | None = "alive\n",
) -> Attack:
    return Attack(
        name,
        "exhaustion",
        actions or (RUN,),
        script=script,
        says=says,
        never=never,
        quick=quick,
        alive=alive,
    )


PRELUDE = '''\
import ctypes, errno, os, platform, signal, socket, struct, sys, time

X86 = platform.machine() == "x86_64"
CANARY = "canary-" + "7c1e94d2b8"
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long


def tell(what, gained, detail):
    """Say what became of an attempt; a refusal's detail is its error number."""
    word = "GAINED" if gained else "refused"
    print(what, word, detail if gained else errno.errorcode.get(detail, detail), flush=True)


def call(what, x86, arm, *arguments):
    """Make a system call by its number on each machine."""
    ctypes.set_errno(0)
    given = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    found = LIBC.syscall(ctypes.c_long(x86 if X86 else arm), *given)
    tell(what, found >= 0, found if found >= 0 else ctypes.get_errno())
    return found


def attempt(what, function, *arguments):
    """Call a function that raises OSError where it is refused."""
    try:
        found = function(*arguments)
    except OSError as error:
        tell(what, False, error.errno)
        return None
    tell(what, True, repr(found)[:200])
    return found


def content(path, size=1 << 16):
    with open(path, "rb") as file:
        return file.read(size)


def idle_child():
    """A process of one's own, to be the victim."""
    pid = os.fork()
    if pid == 0:
        time.sleep(30)
        os._exit(0)
    return pid

'''
