"""A Ray cluster of two nodes on this machine, of one CPU each, and nodes to be killed."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from breakage import descendants

STORE = 80_000_000
"""Bytes that each node's object store may take."""


def patiently(start: Callable[[], Any]) -> Any:
    """What `start` gives, tried again: Ray gives up after half a minute on a busy machine."""
    for _ in range(2):
        with contextlib.suppress(Exception):
            return start()
    return start()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """The cluster, with this process connected to it."""
    ray = pytest.importorskip(
        "ray", reason="Ray is not installed: `make test-integrations` installs and tests it"
    )
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
    made = patiently(lambda: Cluster(initialize_head=True, head_node_args=head))
    try:
        patiently(lambda: made.add_node(num_cpus=1, object_store_memory=STORE))
        ray.init(address=made.address, log_to_driver=False, logging_level="error")
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


@pytest.fixture
def add_node(cluster: Any) -> Iterator[Callable[[], Any]]:
    """Adds a node to the two. What lives of such at the end is removed."""
    made: list[Any] = []

    def add() -> Any:
        made.append(patiently(lambda: cluster.add_node(num_cpus=1, object_store_memory=STORE)))
        return made[-1]

    yield add
    for node in set(made).intersection(cluster.list_all_nodes()):
        cluster.remove_node(node, allow_graceful=False)


@pytest.fixture
def kill_node(cluster: Any) -> Callable[[Any], None]:
    """Kills a node with all that runs on it, as when its machine loses power."""

    def kill(made: Any) -> None:
        raylet = made.all_processes["raylet"][0].process.pid
        for pid in (raylet, *descendants(raylet)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        cluster.remove_node(made, allow_graceful=False)

    return kill
