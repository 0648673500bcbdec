"""Who may ask the viewer: the holder of the token, by its own name, to read."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest
from run_folders import lay_run
from viewers import Viewer

PATHS = (
    *("/", "/static/main.js", "/static/nothing.js", "/nowhere", "/export"),
    *("/api/runs", "/api/run", "/api/steps", "/api/image", "/api/suites"),
    *("/api/follow", "/api/follow-runs"),
)


def test_without_the_token_nothing_is_told(viewer: Viewer) -> None:
    for path in PATHS:
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": viewer.token}):
            answer = viewer.ask(path, headers=headers)
            assert answer.status == 403
            assert "token" in answer.json()["error"]
        assert viewer.ask(f"{path}?token=x", headers={}).status == 403
        assert viewer.ask(f"{path}?token=%ff", headers={}).status == 403


def test_the_address_gives_a_cookie_and_leaves_no_token_in_it(viewer: Viewer) -> None:
    answer = viewer.ask(f"/?token={viewer.token}", headers={})
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    pair, *flags = cookie.split("; ")
    assert pair == f"mlgym-view-{viewer.port}={viewer.token}"
    assert set(flags) == {"HttpOnly", "SameSite=Strict", "Path=/"}
    page = viewer.ask("/", headers={"Cookie": pair})
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert viewer.ask("/api/runs", headers={"Cookie": pair}).status == 200
    other = viewer.ask("/api/runs", headers={"Cookie": pair.replace("=", "0=", 1)})
    assert other.status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_cookie_does_not_count_for_another_page(viewer: Viewer, site: str) -> None:
    headers = {"Cookie": f"mlgym-view-{viewer.port}={viewer.token}", "Sec-Fetch-Site": site}
    assert viewer.ask("/api/runs", headers=headers).status == 403
    assert viewer.ask("/", headers=headers).status == 200


def test_another_name_for_this_machine_is_refused(viewer: Viewer) -> None:
    key = {"Authorization": f"Bearer {viewer.token}"}
    for host in ("evil.example", f"evil.example:{viewer.port}", "127.0.0.1", "127.0.0.1:1", ""):
        assert viewer.ask("/api/runs", headers={**key, "Host": host}).status == 403
    good = {**key, "Host": f"localhost:{viewer.port}"}
    assert viewer.ask("/api/runs", headers=good).status == 200


def test_nothing_can_be_changed(viewer: Viewer) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"):
        assert viewer.ask("/api/runs", method).status == 405
    for path in ("/", "/api/runs", "/api/follow-runs"):
        answer = viewer.ask(path, "HEAD")
        assert (answer.status, answer.body) == (200, b"")


def test_every_answer_carries_the_policy(viewer: Viewer, runs: Path) -> None:
    lay_run(runs / "a")
    asked = [viewer.ask(path) for path in PATHS[:5]]
    asked += [viewer.ask(path, id="a") for path in ("/api/run", "/api/steps", "/api/follow")]
    asked += [viewer.ask("/", headers={}), viewer.ask("/", "POST"), viewer.ask("/api/steps?from=x")]
    asked += [viewer.ask("/", headers={"Host": "evil.example"})]
    for answer in asked:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Server"] == "mlgym"


def test_it_listens_on_loopback_alone(viewer: Viewer) -> None:
    connection = http.client.HTTPConnection("127.0.0.2", viewer.port, timeout=5)
    with pytest.raises(ConnectionRefusedError):
        connection.request("GET", "/")


def test_only_listed_files_are_served(viewer: Viewer) -> None:
    for name in ("../server.py", "..%2fserver.py", "%2e%2e/server.py", "", ".", "main.js%00"):
        assert viewer.ask(f"/static/{name}").status == 404
    assert viewer.ask("/static/main.js").headers["Content-Type"].startswith("text/javascript")
