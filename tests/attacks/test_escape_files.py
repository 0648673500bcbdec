"""Out of the workspace through what the host reads and writes in it: links, pipes, names, paths."""

from __future__ import annotations

import pytest
from attacks.attack import RUN, Attack
from attacks.hall import Hall, withstand

ODD = r"not a regular file|missing|cannot be read"
DEEP = "N=$(printf 'n%.0s' {1..250}); for n in {1..15}; do mkdir $N; cd $N; done"
MOVED = "mv submission.csv extra/real.csv"


def at_the_submission(name: str, made_by: str, says: str = ODD) -> Attack:
    """Something else than a file where the submission is read."""
    return Attack(
        f"the submission is {name}",
        "escape",
        (f"{MOVED}; {made_by}", "validate"),
        says=f"cannot be graded: .*({says})",
        export=True,
    )


def by_tools(name: str, *actions: str, says: str = "", never: str = "GAINED") -> Attack:
    return Attack(f"tools: {name}", "escape", actions, says=says, never=never)


SUBMISSIONS = (
    at_the_submission("a link to a system file", "ln -s /etc/passwd submission.csv"),
    at_the_submission("a link to the host's secret", "ln -s @SECRET@ submission.csv"),
    at_the_submission("a link to the answers", "ln -s /answers/labels.csv submission.csv"),
    at_the_submission("a link to a proper file", "ln -s extra/real.csv submission.csv"),
    at_the_submission("a link to PID 1", "ln -s /proc/self/environ submission.csv"),
    at_the_submission("a link to itself", "ln -s submission.csv submission.csv"),
    at_the_submission("a device", "ln -s /dev/zero submission.csv"),
    at_the_submission("a pipe", "mkfifo submission.csv"),
    at_the_submission("a pipe with a writer", "mkfifo submission.csv; yes > submission.csv &"),
    at_the_submission("a folder", "mkdir submission.csv"),
    at_the_submission("a closed file", "touch submission.csv; chmod 000 submission.csv"),
    at_the_submission(
        "a socket",
        "python -c \"import socket; socket.socket(socket.AF_UNIX).bind('submission.csv')\"",
    ),
    at_the_submission("a terabyte of nothing", "truncate -s 1T submission.csv", "larger than 1 MB"),
    at_the_submission("a little too much", "head -c 1048577 /dev/zero > submission.csv", "larger"),
    at_the_submission("below a link", "mv extra away; ln -s /etc extra; mv away/* ."),
    at_the_submission("with a pipe beside it", "cp extra/real.csv submission.csv; mkfifo extra/p"),
    at_the_submission("with a link beside it", "cp extra/real.csv submission.csv; ln -s / extra/l"),
    at_the_submission(
        "nested without end",
        "cp extra/real.csv submission.csv; cd extra; for n in {1..90}; do mkdir d; cd d; done;"
        " touch f; cd /workspace",
        "cannot be read: File name too long",
    ),
    at_the_submission(
        "beside a path of 13,000 bytes",
        "cp extra/real.csv submission.csv; cd extra; N=$(printf 'n%.0s' {1..250});"
        " for n in {1..52}; do mkdir $N; cd $N; done; touch f; cd /workspace",
        "path of more than",
    ),
    at_the_submission(
        "beside 11,000 files",
        "cp extra/real.csv submission.csv; touch extra/{1..11000}",
        "more than 10000 files",
    ),
    at_the_submission(
        "beside more names than its files could have content",
        f"cp extra/real.csv submission.csv; cd extra; {DEEP}; seq 14000 | xargs touch;"
        " cd /workspace",
        "more than|larger than",
    ),
    Attack(
        "names that a tar could trip over",
        "escape",
        script=r"""
        names = [b"..x", b"...", b" .. ", b"a\nb", b"PaxHeader", b".@LongLink",
                 b"\xff\xfe", b"'\"$(id)", b"-rf", b"=1\n30 path=/etc/x\n", b"x" * 255, b"\x01\x7f",
                 b"\\..\\..\\x", "\u202e".encode(), b"GNUSparseFile.0", b"40 size=99999999999"]
        for name in names:
            open(b"/workspace/extra/" + name, "w").write("x")
            os.mkdir(b"/workspace/extra/d" + name[:250])
            open(b"/workspace/extra/d" + name[:250] + b"/" + name, "w").write("x")
        """,
        actions=(RUN, "validate"),
        says=r"right: 2",
        export=True,
    ),
    Attack(
        "the submission is swapped while it is taken out",
        "escape",
        script="""
        for _ in range(3):
            if os.fork() == 0:
                while True:
                    os.mkfifo("p")
                    os.symlink("/etc/passwd", "l")
                    for name in ("p", "l"):
                        os.replace(name, "submission.csv")
        time.sleep(0.3)
        """,
        actions=(f"{RUN} 2>/dev/null &", "validate", "sleep 0.1", "validate"),
        says="cannot be graded|right: 2",
    ),
    Attack(
        "another name for a file of the system",
        "escape",
        script="""
        for name in ("/usr/bin/env", "/etc/passwd", "/workspace/data/ids.csv", "/proc/1/environ"):
            attempt(name, os.link, name, "/workspace/extra/linked")
        """,
        says="refused",
    ),
    Attack(
        "the workspace is moved away",
        "escape",
        actions=(
            "mv /workspace /tmp/w; rm -rf /workspace 2>/dev/null; rmdir /workspace;"
            " ln -s / /workspace",
            "cd /; rm -rf /workspace/* 2>/dev/null; mkdir -p /workspace/data2; validate",
            "validate",
            "open submission.csv",
        ),
        says="cannot be graded: submission.csv is missing",
    ),
)
TOOLS = (
    by_tools(
        "paths out of the workspace",
        "open ../../../../../../etc/shadow",
        "open @SECRET@",
        "open /answers/secret.txt",
        "open ../grader/grade.py",
        "create /etc/cron.d/x\n<<E\nx\nE",
        "create ../../../../usr/bin/x\n<<E\nx\nE",
        "create /answers/x\n<<E\nx\nE",
        "create data/x\n<<E\nx\nE",
        "str_replace /etc/passwd\n<<E\nroot\nE\n<<E\nx\nE",
        "find_file secret.txt /",
        "find_file grade.py /grader",
        "search_dir lane-7c1e /workspace",
        says="Read-only file system.*0 file",
        never="was written|GAINED",
    ),
    by_tools(
        "what is no file",
        "mkfifo p; ln -s p l; ln -s loop loop; mkdir d; ln -s /dev/zero z; ln -s /usr/bin/env e",
        *(f"open {path}" for path in ("p", "l", "loop", "d", "z", "/dev/stdin", "/dev/fd/1")),
        *(
            f"create {path}\n<<E\nx\nE"
            for path in ("p", "l", "loop", "d", "z", "/dev/full", "/dev/null", "e", "p/x", "")
        ),
        *(
            f"str_replace {path}\n<<E\nx\nE\n<<E\ny\nE"
            for path in ("p", "loop", "d", "z", "/dev/tty", "/dev/ptmx")
        ),
        *(f"search_file x {path}" for path in ("p", "z", "d", "loop")),
        says="open: .*create: .*str_replace: ",
        never="was written|GAINED",
    ),
    by_tools(
        "paths with a NUL",
        'open "a\0b"',
        "create a\0b\n<<E\nx\nE",
        "create a\0b",
        "str_replace a\0b\n<<E\nx\nE\n<<E\ny\nE",
        'find_file "a\0b"',
        'search_dir "a\0b" "c\0d"',
        'search_file x "a\0b"',
        "echo a\0b",
    ),
    by_tools(
        "numbers without end",
        "open submission.csv",
        f"open submission.csv {'9' * 5000}",
        f"goto {'9' * 5000}",
        f"edit 1:{'9' * 5000}\nx\nend_of_edit",
        f"insert {'9' * 5000}\nx\nend_of_insert",
        "goto ²",
        "goto -1",
        says="goto: ",
    ),
    by_tools(
        "from a folder that is gone, or too deep to name",
        "mkdir gone; cd gone; rmdir ../gone",
        "open submission.csv",
        "create x\n<<E\nx\nE",
        "find_file x",
        "cd /workspace; N=$(printf 'n%.0s' {1..250}); for n in {1..40}; do mkdir $N; cd $N; done",
        "create deep\n<<E\nx\nE",
        "open deep",
        "search_dir x",
        says=r"\[/workspace/.*search_dir|\[/workspace/.*line\(s\)",
    ),
    by_tools(
        "a text that exhausts a parser",
        "create a.py\n<<E\n" + "(" * 100_000 + "\nE",
        "create b.py\n<<E\n" + "-" * 200_000 + "1\nE",
        "create c.py\n<<E\nx = '''" + "\\N{DIGIT ONE}" * 10_000 + "'''\nE",
        "create d.py\n<<E\n"
        + "if 1:\n"
        + "".join(" " * n + "if 1:\n" for n in range(1, 150))
        + "E",
    ),
    by_tools(
        "names that shadow them",
        "mkdir bin; for n in open validate pwd python3 env find sh; do printf '#!/bin/sh\\necho"
        " GAI''NED\\n' > bin/$n; chmod +x bin/$n; done; export PATH=/workspace/bin; hash -r",
        'echo \'print("GAI" "NED")\' > fnmatch.py; cp fnmatch.py os.py; cp os.py stat.py',
        "export PYTHONPATH=/workspace PYTHONSTARTUP=/workspace/os.py BASH_ENV=/workspace/bin/sh",
        "find_file submission.csv",
        "search_dir label",
        "open submission.csv",
        "create x.py\n<<E\nx = 1\nE",
        "validate",
        says=r"1 file\(s\) named.*right: 2",
    ),
)
EXPORTS = (
    Attack(
        "more names in the workspace than a message holds",
        "escape",
        actions=(f"mkdir many; cd many; {DEEP}; seq 1200 | xargs touch; cd /workspace",),
        export=True,
    ),
    Attack(
        "a workspace of odd files, taken out",
        "escape",
        actions=(
            "mkfifo p; ln -s / root; ln -s /etc/passwd x; truncate -s 1T sparse;"
            " mkdir -p a/b; touch a/b/c; chmod 000 a/b/c; ln a/b/c hard",
        ),
        export=True,
    ),
)
ROWS = (*SUBMISSIONS, *TOOLS, *EXPORTS)


@pytest.mark.parametrize("attack", ROWS, ids=lambda attack: attack.name)
def test_no_path_leads_out(hall: Hall, attack: Attack) -> None:
    withstand(hall, attack)
