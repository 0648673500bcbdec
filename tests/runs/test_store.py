"""Run folders: written whole or not at all, found again by path or id."""

import io
import json
import re
import tarfile

import pytest
import zstandard

from mlgym.errors import ConfigError, SandboxError
from mlgym.runs.store import LOG, MODEL, RECORD, WORKSPACE, RunFolder, find_run, new_run


def test_a_new_run_s_id_says_when_what_and_who(tmp_path):
    run = new_run(tmp_path / "runs", "house_price", "path/to/mine")
    assert re.fullmatch(r"\d{8}-\d{6}-house_price-mine-[0-9a-f]{6}", run.run_id)
    assert run.transitions() == []
    assert new_run(tmp_path / "runs", "house_price", "pkg.mod:Mine").run_id.count(":") == 0


def test_run_ids_are_unique_and_sort_by_time(tmp_path):
    ids = [new_run(tmp_path, "t", "a").run_id for _ in range(20)]
    assert len(set(ids)) == 20
    assert [name[:15] for name in ids] == sorted(name[:15] for name in ids)


def test_a_place_where_no_folder_can_be_made_is_the_caller_s_mistake(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="no run folder can be made there"):
        new_run(tmp_path / "file", "t", "a")


def test_a_record_is_replaced_as_a_whole(tmp_path):
    run = new_run(tmp_path, "t", "a")
    run.write_record({"status": "unscored", "text": "a\ud800b"})
    run.write_record({"status": "scored"})
    assert run.record() == {"status": "scored"}
    with pytest.raises(TypeError):
        run.write_record({"status": object()})
    assert run.record() == {"status": "scored"}


def test_a_run_is_found_by_its_path_and_by_its_id(tmp_path):
    run = new_run(tmp_path, "t", "a")
    run.write_record({})
    assert find_run(str(run.path)) == run
    assert find_run(run.run_id, tmp_path) == run
    with pytest.raises(ConfigError, match="no run there, nor under"):
        find_run("20200101-nothing", tmp_path)


def test_a_broken_record_is_named(tmp_path):
    (tmp_path / RECORD).write_text('{"status": ')
    with pytest.raises(ConfigError, match=r"run\.json"):
        RunFolder(tmp_path).record()


def test_log_and_model_entries_are_appended_a_line_each(tmp_path):
    run = new_run(tmp_path, "t", "a")
    run.log("one")
    run.log("two \ud800")
    run.log_model({"kind": "request", "text": "a\nb\ud800"})
    run.log_model({"kind": "reply", "raw": {1, 2}})
    assert [line[26:] for line in (run.path / LOG).read_text().splitlines()] == ["one", "two ?"]
    entries = [json.loads(line) for line in (run.path / MODEL).read_text().splitlines()]
    assert [entry["kind"] for entry in entries] == ["request", "reply"]


def tar(**files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_a_workspace_is_kept_compressed(tmp_path):
    run = new_run(tmp_path, "t", "a")
    stream = tar(a=b"1", b=b"2" * 10_000)
    run.write_workspace(stream[at : at + 1000] for at in range(0, len(stream), 1000))
    packed = (run.path / WORKSPACE).read_bytes()
    assert len(packed) < len(stream)
    with tarfile.open(
        fileobj=io.BytesIO(zstandard.ZstdDecompressor().decompressobj().decompress(packed))
    ) as archive:
        assert archive.getnames() == ["a", "b"]


def test_of_a_workspace_that_breaks_off_nothing_is_left(tmp_path):
    run = new_run(tmp_path, "t", "a")

    def broken():
        yield b"some"
        raise SandboxError("lost")

    with pytest.raises(SandboxError):
        run.write_workspace(broken())
    assert [path.name for path in run.path.iterdir()] == ["trajectory.jsonl"]
