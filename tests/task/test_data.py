"""Prepared data: made once, deterministic, checked, closed to other users."""

import json
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from preparing import PYTHON, prepare, rewrite

from mlgym.errors import ConfigError, SandboxError, TaskError
from mlgym.task import data
from mlgym.task.manifest import differences, read_manifest
from mlgym.task.spec import load_task

pytestmark = pytest.mark.usefixtures("home")


def quiet(_: str) -> None:
    pass


def test_data_is_prepared_once_and_found_again(toy_task):
    task, lines = load_task(toy_task), []
    assert data.find_prepared(task, "mini", 0) is None
    prepared = data.prepare(task, "mini", 0, PYTHON, lines.append)
    assert lines == ["preparing the mini data of toy (data seed 0)", "drawing mini"]
    assert data.prepare(task, "mini", 0, PYTHON, lines.append) == prepared
    assert len(lines) == 2
    assert data.find_prepared(task, "mini", 0) == prepared
    assert data.all_prepared(task) == [prepared]
    assert data.verify(prepared) == []


def test_the_same_seed_gives_the_same_files_and_another_seed_others(toy_task, tmp_path):
    task, manifests = load_task(toy_task), []
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        (tmp_path / name).mkdir()
        manifests.append(data.build(task, "mini", seed, PYTHON, tmp_path / name, quiet))
    one, two, three = manifests
    assert differences(one.files, two.files) == []
    assert len(differences(one.files, three.files)) == 2
    assert one.salt != two.salt


def test_only_the_owner_gets_to_the_answers_yet_a_mount_of_them_is_readable(toy_task):
    prepared = prepare(toy_task)
    folder = prepared.private.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in [prepared.public, *prepared.public.rglob("*"), *prepared.private.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644)
        assert path.stat().st_mtime == 1_700_000_000
    assert len((prepared.private / "salt").read_text()) == 64
    assert not (prepared.public / "salt").exists()


def test_verify_names_what_was_changed_added_or_lost(toy_task):
    prepared = prepare(toy_task)
    (prepared.public / "part" / "numbers.txt").write_text("1 2 3")
    (prepared.public / "extra").write_text("")
    (prepared.private / "squares.txt").unlink()
    (prepared.private / "salt").write_text("0" * 64)
    salt, squares, extra, numbers = sorted(data.verify(prepared))
    assert salt == "private/salt: was changed"
    assert squares == "private/squares.txt: is missing"
    assert extra == "public/extra: was added"
    assert numbers.startswith("public/part/numbers.txt: sum ")


def test_a_damaged_manifest_is_a_problem_not_a_crash(toy_task):
    prepared = prepare(toy_task)
    manifest = prepared.public.parent / "manifest.json"
    manifest.write_text(json.dumps({"task": "toy"}))
    assert "manifest.json" in data.verify(prepared)[0]
    manifest.unlink()
    assert len(data.verify(prepared)) == 1


def test_a_changed_script_never_meets_old_data(toy_task):
    old = prepare(toy_task)
    rewrite(toy_task, "data.py", "1000", "2000")
    assert data.find_prepared(load_task(toy_task), "mini", 0) is None
    assert prepare(toy_task).public != old.public


def test_a_changed_grader_or_starter_file_keeps_the_data(toy_task):
    old = prepare(toy_task)
    (toy_task / "grader" / "grade.py").write_text("# changed")
    (toy_task / "workspace" / "more.py").write_text("")
    assert prepare(toy_task) == old


def test_auto_takes_full_only_where_that_was_prepared(toy_task):
    task = load_task(toy_task)
    assert data.choose_profile(task, "auto", 0) == "mini"
    prepare(toy_task, "full")
    assert data.choose_profile(task, "auto", 0) == "full"
    assert data.choose_profile(task, "auto", 1) == "mini"
    assert data.choose_profile(task, "mini", 0) == "mini"


def test_a_profile_that_the_task_lacks_is_refused_with_those_it_has(toy_task):
    rewrite(toy_task, "task.yaml", "  full: {baseline: {error: 2}, target: {error: 0}}\n", "")
    task = load_task(toy_task)
    with pytest.raises(ConfigError, match="has no data profile 'full'; it has mini"):
        data.choose_profile(task, "full", 0)
    with pytest.raises(ConfigError, match="data seed: found -1"):
        data.choose_profile(task, "auto", -1)
    assert data.choose_profile(task, "auto", 0) == "mini"


def test_missing_data_is_answered_with_the_command_that_prepares_it(toy_task):
    error = data.missing_data(load_task(toy_task), "full", 3)
    assert "`mlgym data prepare toy --data full --data-seed 3`" in str(error)


def test_a_failing_script_is_the_authors_mistake_and_leaves_nothing(toy_task, home):
    rewrite(toy_task, "data.py", "random.seed", "raise LookupError('lost'); random.seed")
    with pytest.raises(TaskError) as caught:
        prepare(toy_task)
    assert "prepare('mini', 0, ...) failed with exit code 1" in str(caught.value)
    assert "LookupError: lost" in str(caught.value)
    assert not [path for path in home.rglob("*") if path.is_dir() and "mini" in path.name]


def test_a_script_without_prepare_is_told_its_signature(toy_task):
    rewrite(toy_task, "data.py", "def prepare", "def prepared")
    with pytest.raises(TaskError, match=r"no function prepare\(profile, data_seed, public, priv"):
        prepare(toy_task)


def test_a_link_in_prepared_data_is_refused(toy_task):
    rewrite(
        toy_task,
        "data.py",
        '(public / "part" /',
        "(private / 'x').symlink_to('/etc'); (public / \"part\" /",
    )
    with pytest.raises(TaskError, match="may hold files and folders only"):
        prepare(toy_task)


def test_a_missing_interpreter_is_an_infrastructure_failure(toy_task):
    with pytest.raises(SandboxError, match="cannot be prepared"):
        data.prepare(load_task(toy_task), "mini", 0, Path("/nowhere/python"))


def test_what_a_killed_preparation_left_is_swept(toy_task):
    folder = prepare(toy_task).public.parent
    left_over = folder.parent / ".mini-1.new-killed"
    left_over.mkdir()
    prepare(toy_task, data_seed=1)
    assert not left_over.exists()


def test_the_script_sees_neither_the_hosts_variables_nor_its_packages(toy_task, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "x")
    monkeypatch.setenv("PYTHONPATH", str(toy_task))
    rewrite(toy_task, "data.py", "import random", "import os, random, sys")
    rewrite(toy_task, "data.py", "    print(", "    print(*os.environ, *sys.path); print(")
    lines: list[str] = []
    data.prepare(load_task(toy_task), "mini", 0, PYTHON, lines.append)
    assert "SECRET_KEY" not in lines[1]
    assert "PYTHONPATH" not in lines[1]
    assert "MLGYM_SOURCES" in lines[1]


def test_a_task_without_a_script_gets_an_empty_folder_and_a_salt(toy_task):
    rewrite(toy_task, "task.yaml", "data: data.py\n", "")
    prepared = data.prepare(load_task(toy_task), "mini", 0, None)
    assert list(prepared.public.iterdir()) == []
    assert [path.name for path in prepared.private.iterdir()] == ["salt"]
    assert data.verify(prepared) == []


def test_two_preparations_at_once_do_the_work_once(toy_task):
    rewrite(toy_task, "data.py", "    print(", "    import time; time.sleep(0.3); print(")
    task, lines = load_task(toy_task), []
    with ThreadPoolExecutor() as pool:
        found = [pool.submit(data.prepare, task, "mini", 0, PYTHON, lines.append) for _ in "abc"]
        assert len({future.result() for future in found}) == 1
    assert lines.count("drawing mini") == 1


def test_an_interrupted_preparation_leaves_nothing_running(toy_task):
    rewrite(
        toy_task, "data.py", "    print(", "    import time; print(flush=True); time.sleep(60); ("
    )
    task = load_task(toy_task)

    def interrupt(line: str) -> None:
        if not line:
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        data.prepare(task, "mini", 0, PYTHON, interrupt)
    assert time.monotonic() - began < 10
    assert data.find_prepared(task, "mini", 0) is None


def test_a_preparation_ends_when_the_process_that_asked_for_it_is_killed(toy_task, tmp_path):
    beat = tmp_path / "beat"
    loop = (
        f"    import time\n    while True: open({str(beat)!r}, 'a').write('x'); time.sleep(.02)\n#"
    )
    rewrite(toy_task, "data.py", "    print(", loop)
    script = (
        "import sys\nfrom pathlib import Path\nfrom mlgym.task import data, spec\n"
        f"data.prepare(spec.load_task(Path({str(toy_task)!r})), 'mini', 0, Path(sys.executable))"
    )
    with subprocess.Popen([PYTHON, "-c", script]) as process:
        while not beat.exists():
            time.sleep(0.02)
        process.kill()
    time.sleep(0.3)
    size = beat.stat().st_size
    time.sleep(0.2)
    assert beat.stat().st_size == size


def test_the_manifest_says_what_it_is_of(toy_task):
    manifest = read_manifest(prepare(toy_task, data_seed=5).public.parent)
    assert (manifest.task, manifest.version, manifest.profile) == ("toy", 1, "mini")
    assert manifest.data_seed == 5
    assert set(manifest.files) == {"public/part/numbers.txt", "private/squares.txt"}
