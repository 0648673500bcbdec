"""The hall and the court, on each backend in turn, kept warm for the rows of one file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

# Theirs are the asserts: without this a failing one would not say what it found.
pytest.register_assert_rewrite("attacks.court", "attacks.hall")

from attacks.court import Court, open_court  # noqa: E402
from attacks.hall import Hall, open_hall  # noqa: E402

BACKENDS = ["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)]


@pytest.fixture(scope="module", params=BACKENDS)
def hall(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hall]:
    folder = tmp_path_factory.mktemp("hall")
    with pytest.MonkeyPatch.context() as patch, open_hall(request.param, folder, patch) as hall:
        yield hall


@pytest.fixture(scope="module", params=BACKENDS)
def court(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Court]:
    folder = tmp_path_factory.mktemp("court")
    with pytest.MonkeyPatch.context() as patch, open_court(request.param, folder, patch) as court:
        yield court
