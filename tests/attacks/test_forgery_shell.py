"""The shell turned against the guest that speaks with it: what an agent can make of its own bash.

An agent may ruin its own shell. It may not make the guest believe that a command ended which goes
on: that would be time that nobody counts.
"""

from __future__ import annotations

import pytest
from attacks.attack import RUN, Attack
from attacks.hall import Hall, withstand

STATUS = """
    # The pipe on which bash tells of a command's end: the one that it holds for writing.
    for number in sorted(map(int, os.listdir(f"/proc/{sys.argv[1]}/fd"))):
        path = f"/proc/{sys.argv[1]}/fd/{number}"
        if number > 2 and os.readlink(path).startswith("pipe:") and os.lstat(path).st_mode & 0o222:
            print(number)
"""
FRAME = r"\0\0\0\x20\0\0\0\0{\"ok\":true,\"exit\":0,\"id\":1,\"notes\":[]}"
JUNK = (FRAME, "0", "junk", "99999999999999999999", "-1", "")
CHANGED = "echo builtin source command exec eval printf exit return unset read kill wait cd test"


def shell(
    name: str,
    *actions: str,
    says: str = "",
    alive: str | None = "alive\n",
    script: str = "",
    quick: bool = True,
) -> Attack:
    return Attack(name, "forgery", actions, script=script, says=says, alive=alive, quick=quick)


WORDS = (
    shell(
        "words that look like frames and ends",
        *(f"printf '{text}\\n'; printf '{text}\\n' >&2; (exit 7)" for text in JUNK),
        "printf '[no end after 1 s: the shell was killed]\\n'",
    ),
    shell(
        "words in every descriptor that a command inherits",
        *(
            f"for f in /proc/self/fd/*; do printf '{text}\\n' > $f; done 2>/dev/null; true"
            for text in JUNK
        ),
        *(
            f"for n in {{0..300}}; do printf '{text}\\n' >&$n; done 2>/dev/null"
            for text in JUNK[:2]
        ),
        alive=None,
    ),
    shell(
        "words in every descriptor of the shell",
        f"for n in /proc/$$/fd/*; do eval \"printf '{FRAME}\\n' >&${{n##*/}}\"; done 2>/dev/null",
        'for n in /proc/$$/fd/*; do eval "echo junk >&${n##*/}"; done 2>/dev/null; sleep 0.1',
        alive=None,
    ),
    shell(
        "words in every descriptor of every process",
        RUN,
        script="""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            for number in range(300):
                try:
                    fd = os.open(f"/proc/{pid}/fd/{number}", os.O_WRONLY | os.O_NONBLOCK)
                    os.write(fd, b"\\0\\0\\0\\2\\0\\0\\0\\0{}junk\\n")
                    os.close(fd)
                except OSError:
                    pass
        """,
    ),
)
FORGED_ENDS = tuple(
    Attack(name, "forgery", actions, script=STATUS, alive=None, rest_s=0.6, quick=True)
    for name, actions in (
        (
            "an end told by hand, and a loop that goes on",
            (f"S=$({RUN} $$); builtin echo 0 >&$S; while :; do :; done",),
        ),
        (
            "an end told by hand, and work that begins after it",
            (
                f"mkfifo /tmp/p; S=$({RUN} $$); builtin echo 0 >&$S; read -t 0.2 <> /tmp/p;"
                " timeout 9 sh -c 'while :; do :; done'",
            ),
        ),
        (
            "an end told by a job that keeps the pipe",
            (
                "trap '[[ $BASH_COMMAND == *echo* ]] && (for n in {1..100}; do echo 0 >&251;"
                " sleep 0.01; done) 2>/dev/null &' DEBUG",
                "echo x",
                "sleep 0.4; while :; do :; done",
                "trap DEBUG",
            ),
        ),
        ("an end told from a trap", ("trap 'builtin echo 77 >&251' DEBUG", "sleep 0.3")),
        ("ends told without end", (f"S=$({RUN} $$); while echo 0 >&$S; do :; done",)),
    )
)
NAMES = (
    shell("builtin is a function", "builtin() { command echo mine; }"),
    shell("the dot is a function", "function . { builtin echo mine; }", "echo x", alive=None),
    shell("echo is a function", "echo() { printf 'mine\\n'; }", alive="mine\n"),
    shell(
        "every word that the guest could use is a function that ends the shell",
        f'for w in {CHANGED}; do eval "function $w {{ \\builtin kill -9 \\$\\$; }}"; done',
        alive=None,
    ),
    shell(
        "aliases of everything",
        f"for w in . {CHANGED}; do alias \"$w=false\"; done; alias '\\.=false'",
        "shopt -s expand_aliases",
        alive="",
    ),
    shell("the dot disabled", "enable -n .", "echo x", alive=None),
    *(shell(f"{word} disabled", f"enable -n {word}", alive=None) for word in ("echo", "builtin")),
    shell("POSIX mode", "set -o posix", "no_such_command", "export POSIXLY_CORRECT=1", ". /none"),
    shell(
        "programs of other names",
        "mkdir b; for n in bash sh ls python python3 env cat sleep; do printf '#!/bin/sh\\necho"
        " mine' > b/$n; chmod +x b/$n; done; export PATH=/workspace/b;"
        " hash -p /workspace/b/ls cat; ls",
        "kill -9 $$",
        "ls data",
        says="mine.*ids.csv",
    ),
    shell(
        "libraries and modules before all others",
        'echo \'import os; os.system("echo GAI" "NED")\' > json.py',
        "for n in random numpy csv mlgym_kit sitecustomize usercustomize struct; do"
        " cp json.py $n.py; cp json.py extra/$n.py; done;"
        " mkdir -p ~/.local/lib/python3.11/site-packages;"
        " cp *.py ~/.local/lib/python3.11/site-packages",
        "export PYTHONPATH=/workspace LD_PRELOAD=/workspace/x.so LD_LIBRARY_PATH=/workspace",
        "export BASH_ENV=/workspace/json.py ENV=/workspace/json.py PYTHONHOME=/workspace",
        "validate",
        "search_dir label",
        "kill -9 $$",
        says=r"right: 2.*line\(s\) with 'label'",
        quick=False,
    ),
)
MODES = (
    *(
        shell(f"set -{letter}", f"set -{letter}", "false; echo $nothing *", alive=alive)
        for letter, alive in (
            ("e", "alive\n"),
            ("u", "alive\n"),
            ("n", "alive\n"),
            ("x", None),
            ("v", None),
            ("t", "alive\n"),
            ("r", None),
            ("fmbkaTE", "alive\n"),
        )
    ),
    shell(
        "strange variables",
        "IFS=0123456789; BASH_COMPAT=3.1; GLOBIGNORE=*; TMOUT=1; unset PATH HOME; OPTIND=x",
        "readonly IFS PATH HOME PWD OLDPWD _; BASH_ARGV0=x; PS4='$(kill -9 $$)'; set -x",
        "true",
        alive=None,
    ),
    shell("no descriptors left", "ulimit -n 3", "ls", alive=None),
    shell("no processes left", "ulimit -u 1", "ls", alive=None),
    shell("no memory left", "ulimit -v 1 -d 1 -s 1 -m 1", "ls; x=$(echo {1..100000})", alive=None),
    shell("no files left", "ulimit -f 0", "echo x > file; ls"),
    shell("no time left", "ulimit -t 1", "while :; do :; done", "while :; do :; done"),
)
TRAPS = (
    shell("a trap at every command", "trap 'echo x; sleep 0.1' DEBUG", "true", alive=None),
    shell("a trap at every failure", "trap 'echo x; kill -9 $$' ERR", "false"),
    shell("a trap at every return", "trap 'echo x; return 3' RETURN", "true", alive=None),
    shell("a trap that does not let go", "trap 'while :; do sleep 1; done' EXIT", "exit 3"),
    shell("traps of every signal", "for n in {1..64}; do trap '' $n; done", "sleep 9", "echo x"),
)
DESCRIPTORS = (
    shell("the script's descriptor closed", "exec 255<&-", "echo x"),
    shell("the script's descriptor read", "read -t 0.2 x <&255", "cat <&255", "head -c 1 <&255"),
    shell(
        "every descriptor closed",
        'for n in {0..300}; do eval "exec $n>&-"; done',
        'for n in {10..20}; do eval "exec $n>&-" 2>/dev/null; done; echo x',
        alive=None,
    ),
    shell("output elsewhere for ever", "exec >/dev/null 2>&1", "exec 1>&- 2>&- 0<&-", "echo x"),
    shell("another program in the shell's place", "exec sleep 60", "exec python -c 'print(1)'"),
)
ENDS = (
    shell("the shell stopped by itself", "kill -STOP $$"),
    shell("the shell killed by a job", "(sleep 0.2; kill -9 $$) & sleep 0.6; echo on", "echo on"),
    shell("the shell stopped by a job", "(while :; do kill -STOP $$; done) & sleep 0.5", "echo on"),
    shell(
        "the shell killed between two commands",
        "(sleep 0.1; while :; do kill -9 $$; done) >/dev/null 2>&1 & echo on",
        "echo on",
        "sleep 0.3",
    ),
    shell("a text too deep to parse", "eval \"$(printf '(%.0s' {1..50000})\"", "echo x"),
    shell("texts without an end", "cat <<E", "echo '", "x=(", "if true; then", "\\", "\x04\r\x1a"),
    shell("a text of a million words", "true " + "x " * 500_000),
    shell("another command of the same name", "command validate", "command command submit; true"),
)
ROWS = (*WORDS, *FORGED_ENDS, *NAMES, *MODES, *TRAPS, *DESCRIPTORS, *ENDS)


@pytest.mark.parametrize("attack", ROWS, ids=lambda attack: attack.name)
def test_the_shell_deceives_nobody(hall: Hall, attack: Attack) -> None:
    withstand(hall, attack)
