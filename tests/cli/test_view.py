"""`mlgym view`: prints its address, ends on a signal, writes a page."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from run_folders import lay_run

Mlgym = Callable[..., Any]


def test_it_prints_its_address_and_ends_cleanly(tmp_path: Path) -> None:
    lay_run(tmp_path / "a")
    process = subprocess.Popen(
        [sys.executable, "-m", "mlgym", "view", tmp_path, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        asked = address.replace("/?", "/api/runs?")
        with urllib.request.urlopen(asked, timeout=20) as answer:
            assert b'"scored"' in answer.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "")
    assert err == "Ctrl-C ends it.\n"


def test_what_cannot_be_served_is_said(mlgym: Mlgym, tmp_path: Path) -> None:
    ran = mlgym("view", tmp_path / "nowhere")
    assert (ran.code, "expected one that holds run folders" in ran.err) == (2, True)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ran = mlgym("view", tmp_path, "--port", port)
    assert (ran.code, ran.out) == (2, "")
    assert f"--port: {port} is taken by another program" in ran.err


def test_one_run_is_written_as_a_page(mlgym: Mlgym, tmp_path: Path) -> None:
    lay_run(tmp_path / "runs" / "a")
    page = tmp_path / "a.html"
    ran = mlgym("view", tmp_path / "runs", "--export", page)
    assert (ran.code, ran.out) == (0, f"{page}\n")
    assert page.read_text("utf-8").startswith("<!doctype html>")
    lay_run(tmp_path / "runs" / "b")
    ran = mlgym("view", tmp_path / "runs", "--export", page)
    assert (ran.code, "found 2 runs: a, b, expected one" in ran.err) == (2, True)
    assert mlgym("view", tmp_path / "runs" / "b", "--export", page).code == 0
    for bad in (["--export", tmp_path / "no" / "b.html"], ["--export", page, "--open"]):
        assert mlgym("view", tmp_path / "runs" / "b", *bad).code == 2
