"""Viewing, editing and searching files, in a real sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mlgym.env import MLGymEnv

CODE = "".join(f"line{n} = {n}\n" for n in range(1, 11))


@pytest.fixture(scope="module")
def shared() -> Iterator[MLGymEnv]:
    env = MLGymEnv("battle_of_sexes", sandbox="bubblewrap", data="mini", max_steps=10_000)
    yield env
    env.close()


@pytest.fixture
def env(shared: MLGymEnv) -> MLGymEnv:
    shared.reset()
    write(shared, "code.py", CODE)
    return shared


def write(env: MLGymEnv, path: str, text: str) -> None:
    env.sandbox.write(path, text.encode())


def content(env: MLGymEnv, path: str = "code.py") -> str:
    return env.sandbox.read(path, 1 << 20).decode()


def do(env: MLGymEnv, *actions: str) -> str:
    observation = ""
    for action in actions:
        observation = env.step(action)[0]
    return observation


def test_a_long_file_is_shown_in_windows(env: MLGymEnv) -> None:
    write(env, "long.txt", "".join(f"{n}\n" for n in range(1, 251)))
    first = do(env, "open long.txt")
    assert first.startswith("[/workspace/long.txt: 250 lines]\n1:1\n")
    assert first.endswith("100:100\n(150 lines below)\n")
    assert "(98 lines above)\n99:99\n" in do(env, "scroll_down")
    assert "(150 lines above)\n151:151\n" in do(env, "scroll_down", "scroll_down")
    assert "\n120:120\n" in do(env, "goto 120")
    assert "\n1:1\n" in do(env, "scroll_up", "scroll_up")
    assert "\n200:200\n" in do(env, "open long.txt 200")


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("goto 3", "no file is open"),
        ("scroll_down", "no file is open"),
        ("edit 1:1\nx\nend_of_edit", "no file is open"),
        ("open missing.py", "No such file"),
        ("open /workspace", "Is a directory"),
        ("open /dev/zero", "Invalid argument"),
        ("open code.py 99", "10 lines"),
        ("open data.bin", "not a UTF-8 text"),
    ],
)
def test_what_cannot_be_shown_says_why(env: MLGymEnv, action: str, words: str) -> None:
    env.sandbox.write("data.bin", b"\xff\xfe\x00")
    assert words in do(env, action)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("goto " + "9" * 5000, "no line number"),
        ("open code.py " + "9" * 5000, "no line number"),
        ("edit 1:" + "9" * 5000 + "\nend_of_edit", "no line number"),
        ("open a\0b", "NUL"),
        ("create a\0b\n<<END\nx\nEND", "NUL"),
        ("search_dir \0", "NUL"),
        ("create " + "x" * 300, "File name too long"),
        ("create " + "x/" * 3000 + "y", "File name too long"),
        ("find_file " + "x" * 200_000, "Argument list too long"),
    ],
    ids=lambda value: value[:12].encode("unicode_escape").decode(),
)
def test_arguments_past_every_bound_are_refused_in_words(
    env: MLGymEnv, action: str, words: str
) -> None:
    assert words in do(env, "open code.py", action)
    assert do(env, "echo alive") == "alive\n"


def test_a_path_that_no_system_call_takes_is_an_error_and_no_loss(env: MLGymEnv) -> None:
    for attempt in (
        lambda: env.sandbox.read("a\0b", 1),
        lambda: env.sandbox.write("a\0b", b""),
        lambda: list(env.sandbox.export(["a\0b"], 1)),
    ):
        with pytest.raises(OSError, match="Invalid argument"):
            attempt()
    assert env.sandbox.open(["echo", "a\0b"]).status(10) == 127
    assert do(env, "echo alive") == "alive\n"


def test_a_search_ends_with_the_time_of_a_command(env: MLGymEnv) -> None:
    from mlgym.tools.registry import parse_action, run_call

    class InAHurry:
        sandbox, editor, command_s = env.sandbox, env.episode.editor, 0.2

    said = run_call(parse_action("search_dir nowhere /"), InAHurry())  # type: ignore[arg-type]
    assert said.text == "search_dir: no end after 0.2 s; search a smaller folder.\n"


def test_paths_follow_the_shells_folder(env: MLGymEnv) -> None:
    do(env, "mkdir -p sub && cd sub && echo 'x = 1' > here.py")
    assert do(env, "open here.py").startswith("[/workspace/sub/here.py: 1 lines]")
    assert "here.py:1:x = 1" in do(env, "search_dir x")
    assert "/workspace/sub/new.py was written" in do(env, "create new.py")


EDITS = [
    ("edit 1:1\nfirst = 1\nend_of_edit", "first = 1\n" + CODE.split("\n", 1)[1]),
    ("edit 10:10\nlast = 0\nend_of_edit", CODE.replace("line10 = 10", "last = 0")),
    ("edit 2:9\nend_of_edit", "line1 = 1\nline10 = 10\n"),
    (
        "edit 1:10\nx = '''\n  $HOME `id` \"q\"\n'''\nend_of_edit",
        "x = '''\n  $HOME `id` \"q\"\n'''\n",
    ),
    ("edit 1:10\nend_of_edit", ""),
    ("edit 3:3\n\nend_of_edit", CODE.replace("line3 = 3", "")),
    ("insert 0\n# top\nend_of_insert", "# top\n" + CODE),
    ("insert 10\n# end\nend_of_insert", CODE + "# end\n"),
    (
        "insert 5\nif line5:\n    print(1)\nend_of_insert",
        CODE.replace("line5 = 5\n", "line5 = 5\nif line5:\n    print(1)\n"),
    ),
    ("str_replace code.py\n<<A\nline4 = 4\nA\n<<B\nline4 = 44\nB", CODE.replace("= 4\n", "= 44\n")),
    ("str_replace code.py\n<<A\nline4 = 4\n\nA\n<<B\nB", CODE.replace("line4 = 4\n", "")),
    ("str_replace code.py\n<<A\n = 10\nA\n<<B\n = 'x'\nB", CODE.replace("= 10", "= 'x'")),
]
REFUSED = [
    ("edit 11:11\nx\nend_of_edit", "10 lines"),
    ("edit 5:3\nx\nend_of_edit", "no range"),
    ("edit 9:12\nx\nend_of_edit", "10 lines"),
    ("insert 11\nx\nend_of_insert", "10 lines"),
    ("edit 2:2\nif True:\nprint(1)\nend_of_edit", "line 3: expected an indented block"),
    ("edit 2:2\n    line2 = 2\nend_of_edit", "unexpected indent"),
    ("edit 2:2\nprint('a\nend_of_edit", "unterminated string"),
    ("edit 2:2\npython code.py\nend_of_edit", "would not be valid Python"),
    ("insert 3\ndef f(:\nend_of_insert", "would not be valid Python"),
    ("edit 2:2\nx = 1\nend_of_edit && python code.py", "last line must be end_of_edit"),
    ("edit 2:2 << EOF\nx = 1\nEOF", "Send"),
    ("edit code.py 2:2\nx = 1\nend_of_edit", "Send"),
    ("edit 2\nx = 1\nend_of_edit", "no range"),
    ("str_replace code.py\n<<A\nline = 1\nA\n<<B\nx\nB", "is not there"),
    ("str_replace code.py\n<<A\nline\nA\n<<B\nx\nB", "occurs 10 times"),
    ("str_replace code.py\n<<A\nA\n<<B\nx\nB", "is empty"),
    ("str_replace code.py\n<<A\nline4 = 4\nA\n<<B\nline4 = (\nB", "would not be valid Python"),
    ("str_replace gone.py\n<<A\na\nA\n<<B\nb\nB", "No such file"),
    ("create code.py", "exists already"),
    ("create /usr/x.py", "/usr/x.py"),
]


@pytest.mark.parametrize(("action", "wanted"), EDITS)
def test_an_edit_lands_exactly(env: MLGymEnv, action: str, wanted: str) -> None:
    observation = do(env, "open code.py", action)
    assert content(env) == wanted, observation
    assert "[/workspace/code.py: " in observation


@pytest.mark.parametrize(("action", "words"), REFUSED)
def test_a_refused_edit_changes_nothing_and_says_why(
    env: MLGymEnv, action: str, words: str
) -> None:
    observation = do(env, "open code.py", action)
    assert words in observation
    assert content(env) == CODE


def test_a_file_that_was_broken_before_may_stay_so(env: MLGymEnv) -> None:
    write(env, "code.py", "def f(:\nx = 1\n")
    do(env, "open code.py", "edit 2:2\nx = 2\nend_of_edit")
    assert content(env) == "def f(:\nx = 2\n"


def test_only_syntax_refuses_never_style_or_names(env: MLGymEnv) -> None:
    do(env, "open code.py", "edit 1:10\nimport os,sys\nundefined  ( 1 );x=2\nend_of_edit")
    assert content(env) == "import os,sys\nundefined  ( 1 );x=2\n"


def test_other_files_are_not_checked_for_syntax(env: MLGymEnv) -> None:
    do(env, "create notes.txt\n<<T\ndef f(:\nT", "edit 1:1\nif (\nend_of_edit")
    assert content(env, "notes.txt") == "if (\n"


def test_line_endings_and_a_missing_last_newline_are_kept(env: MLGymEnv) -> None:
    write(env, "dos.txt", "a\r\nb\r\nc\r\n")
    do(env, "open dos.txt", "edit 2:2\nB\nend_of_edit")
    assert content(env, "dos.txt") == "a\r\nB\r\nc\r\n"
    do(env, "edit 1:1\nA\r\nend_of_edit")
    assert content(env, "dos.txt") == "A\r\nB\r\nc\r\n"
    write(env, "open.txt", "a\nb")
    do(env, "open open.txt", "edit 1:1\nA\nend_of_edit")
    assert content(env, "open.txt") == "A\nb"


def test_an_empty_file_takes_an_edit_of_its_first_line(env: MLGymEnv) -> None:
    do(env, "create empty.txt", "edit 1:1\nx\nend_of_edit")
    assert content(env, "empty.txt") == "x\n"


def test_a_files_mode_survives_an_edit(env: MLGymEnv) -> None:
    do(env, "chmod 750 code.py", "open code.py", "edit 1:1\nx = 1\nend_of_edit")
    assert do(env, "stat -c %a code.py") == "750\n"


def test_searching_counts_and_is_literal(env: MLGymEnv) -> None:
    write(env, "sub/more.txt", "a.c\nabc\n")
    env.sandbox.write("binary.bin", b"\0a.c")
    do(env, "mkfifo pipe; ln -s . loop")
    found = do(env, "search_dir a.c sub")
    assert found.startswith("1 line(s) with 'a.c' in 1 file(s) of sub\nsub/more.txt:1:a.c")
    assert "in 1 file(s)" in do(env, "search_dir 'line7 ='")
    assert "1 line(s)" in do(env, "search_file line3 code.py")
    assert "no file is open" in do(env, "search_file line3")
    assert "no such file" in do(env, "search_dir x nowhere")
    assert "./sub/more.txt" in do(env, "find_file more.txt")
    assert "3 file(s)" in do(env, "find_file '*.py'")


def test_a_tools_name_inside_a_script_says_to_send_it_alone(env: MLGymEnv) -> None:
    observation, _, terminated, _, info = env.step("for i in 1; do submit; done")
    assert "send it alone" in observation
    assert (terminated, info["exit_code"]) == (False, 2)
