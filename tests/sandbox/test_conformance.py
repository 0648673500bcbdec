"""The conformance suite, on every backend."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mlgym.sandbox import conformance
from mlgym.sandbox.backends import load_backend
from mlgym.sandbox.base import Sandbox


@pytest.fixture(
    scope="module", params=["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)]
)
def started(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONFORMANCE", conformance.SECRET)
        spec = conformance.conformance_spec(tmp_path_factory.mktemp("conformance"))
        with load_backend(request.param)(spec) as sandbox:
            yield sandbox


@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
def test_a_backend_does_what_every_sandbox_must(started: Sandbox, check: conformance.Check) -> None:
    started.reset()
    check(started)
