"""Notes: what is kept, what is found again, what a snapshot and a later run know of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlgym import ConfigError, SandboxError, Snapshot
from mlgym.env import MLGymEnv
from mlgym.tools.notes import LONGEST_NOTE, MOST_NOTES, Notebook
from mlgym.tools.notes_file import NOTES, NotesFile


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, lay_number_task: Callable[[Path], Path]
) -> Iterator[MLGymEnv]:
    task = lay_number_task(tmp_path_factory.mktemp("memory"))
    with MLGymEnv(task, sandbox="bubblewrap") as env:
        yield env


@pytest.fixture
def env(shared: MLGymEnv) -> MLGymEnv:
    shared.reset(seed=0)
    return shared


def do(env: MLGymEnv, *actions: str) -> str:
    observation = ""
    for action in actions:
        observation = env.step(action)[0]
    return observation


def test_notes_are_found_by_their_words_the_best_match_first(env: MLGymEnv) -> None:
    do(env, "memory_write Adam with learning_rate 0.1 diverges")
    do(env, "memory_write\n<<END\nLearning rate 0.01: accuracy 0.91\nseed 3\nEND")
    do(env, 'memory_write "the data has 12 classes"')
    assert do(env, "memory_read 'Learning RATE accuracy' 5") == (
        "2 of 3 notes, the best match first.\n"
        "--- 1\nLearning rate 0.01: accuracy 0.91\nseed 3\n"
        "--- 2\nAdam with learning_rate 0.1 diverges\n"
    )
    assert do(env, "memory_read rate 1").startswith("1 of 3 notes")
    assert do(env, "memory_read ''").startswith("3 of 3 notes, the latest first.\n--- 1\nthe data")
    assert "None of 3 notes holds a word of 'dropout'" in do(env, "memory_read dropout")


def test_what_the_tool_was_is_told_and_no_exit_code(env: MLGymEnv) -> None:
    *_, info = env.step("memory_read x")
    assert (info["tool"], "exit_code" in info) == ("memory_read", False)
    assert env.step("memory_write x")[4]["tool"] == "memory_write"


def test_the_same_note_is_kept_once_and_an_empty_or_long_one_not_at_all(env: MLGymEnv) -> None:
    assert do(env, "memory_read x") == "No note is kept.\n"
    assert do(env, "memory_write 'one'") == "Kept: 1 note.\n"
    assert do(env, "memory_write ' one '") == "That note is kept already.\n"
    assert "empty" in do(env, "memory_write ' '")
    assert f"of at most {LONGEST_NOTE}" in do(env, f"memory_write {'x' * (LONGEST_NOTE + 1)}")
    assert do(env, f"memory_write {'x' * LONGEST_NOTE}") == "Kept: 2 notes.\n"


def test_the_oldest_note_makes_room_for_one_too_many(env: MLGymEnv) -> None:
    env.episode.memory.texts = tuple(f"note {n}" for n in range(MOST_NOTES))
    assert "the oldest was forgotten" in do(env, "memory_write fresh")
    kept = env.episode.memory.texts
    assert (len(kept), kept[0], kept[-1]) == (MOST_NOTES, "note 1", "fresh")


def test_notes_of_no_word_at_all_are_harmless() -> None:
    notes = Notebook(("!!!", "...", "a word"))
    assert notes.best("word ?", 5) == ["a word"]
    assert notes.best("?!", 5) == []


def test_a_reset_begins_without_notes(env: MLGymEnv) -> None:
    do(env, "memory_write one")
    env.reset()
    assert do(env, "memory_read one") == "No note is kept.\n"


def test_notes_are_part_of_a_snapshot_wherever_it_travels(env: MLGymEnv) -> None:
    do(env, "memory_write before")
    with env.snapshot() as snapshot:
        do(env, "memory_write after")
        shipped = snapshot.to_bytes()
        env.restore(snapshot)
    assert env.episode.memory.texts == ("before",)
    env.reset()
    with Snapshot.from_bytes(shipped) as arrived:
        env.restore(arrived)
    assert do(env, "memory_read before").endswith("--- 1\nbefore\n")


# Across runs ----------------------------------------------------------------------------------


def test_a_memory_in_a_folder_is_read_at_the_next_reset(number_task: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "memory"
    with MLGymEnv(number_task, sandbox="bubblewrap", memory=folder) as env:
        assert not folder.exists()
        env.reset()
        do(env, "memory_write first")
        with env.snapshot() as snapshot:
            do(env, "memory_write 'of a branch that was left'")
            env.restore(snapshot)
            assert "None of 1" in do(env, "memory_read branch")
        env.reset()
        assert env.episode.memory.texts == ("first", "of a branch that was left")
        lines = [json.loads(line) for line in (folder / NOTES).read_text().splitlines()]
    assert [(line["text"], line["task"]) for line in lines] == [
        ("first", "number"),
        ("of a branch that was left", "number"),
    ]


def test_what_a_killed_run_left_torn_is_skipped_with_a_notice(tmp_path: Path) -> None:
    notes = NotesFile(tmp_path, "t")
    notes.add("whole")
    with (tmp_path / NOTES).open("ab") as file:
        file.write(b'{"time": 1, "task": "t", "te')
    with pytest.warns(RuntimeWarning, match="line 2 is torn"):
        assert notes.read() == ["whole"]
    notes.add("later")
    with pytest.warns(RuntimeWarning, match="line 2 is torn"):
        assert notes.read() == ["whole", "later"]


@pytest.mark.parametrize("line", ["[]", "5", '{"text": 5}', "{}", "null", "[" * 100_000, "\xff"])
def test_lines_that_are_no_notes_are_skipped_with_a_notice(tmp_path: Path, line: str) -> None:
    (tmp_path / NOTES).write_bytes(line.encode("latin-1") + b'\n{"text": "a\\ud800"}\n')
    with pytest.warns(RuntimeWarning, match="line 1 is torn or no note"):
        assert NotesFile(tmp_path, "t").read() == ["a?"]


def test_only_the_newest_notes_of_a_long_file_are_taken_each_once(tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"note {n // 2}"}) + "\n" for n in range(4 * MOST_NOTES)]
    (tmp_path / NOTES).write_text("".join(lines))
    found = NotesFile(tmp_path, "t").read()
    assert found == [f"note {n}" for n in range(MOST_NOTES, 2 * MOST_NOTES)]


def test_runs_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mlgym.tools.notes_file import NotesFile\n"
        "notes = NotesFile(Path(sys.argv[1]), 't')\n"
        "for n in range(40): notes.add(f'{sys.argv[2]} {n} ' + 'x' * 3000)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    (tmp_path / NOTES).touch()
    running = [subprocess.Popen([*command, name]) for name in ("a", "b")]
    assert [process.wait(60) for process in running] == [0, 0]
    found = NotesFile(tmp_path, "t").read()
    for name in ("a", "b"):
        mine = [int(text.split()[1]) for text in found if text.startswith(name)]
        assert mine == list(range(40))


def test_a_memory_that_cannot_be_had_is_told_at_once_and_a_lost_one_voids(
    number_task: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="expected a folder"):
        MLGymEnv(number_task, memory=tmp_path / "file")
    with pytest.raises(ConfigError, match="--memory"):
        NotesFile(tmp_path / "file" / "in", "t").read()
    with MLGymEnv(number_task, sandbox="bubblewrap", memory=str(tmp_path / "m")) as env:
        env.reset()
        (tmp_path / "m" / NOTES).unlink()
        (tmp_path / "m" / NOTES).mkdir()
        with pytest.raises(SandboxError, match="no note can be kept"):
            env.step("memory_write x")
        assert env.exit_reason == "sandbox_error"
