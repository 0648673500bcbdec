"""The cells of a suite as Ray tasks: who plays them, and what comes back of them.

Ray repeats nothing by itself: what is tried again is the suite's to say.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

from mlgym.distributed.connecting import alive, connect, largest_node
from mlgym.distributed.errand import (
    FILES,
    GOING_ON,
    Errand,
    carried,
    keep_log,
    packed,
    play_there,
    sees,
    unpacked,
)
from mlgym.errors import ConfigError
from mlgym.runs.suite.claims import ASIDE, free
from mlgym.runs.suite.crew import Hand, Heard
from mlgym.runs.suite.gate import HeldError, held
from mlgym.runs.suite.matrix import Cell
from mlgym.task.spec import find_task

_PROBE_S = 60.0


class RayPool:
    """GPUs as Ray has them: it leases them with the place, so that nobody does before."""

    def __init__(self, ray: Any) -> None:
        self._most = max((one["Resources"].get("GPU", 0.0) for one in alive(ray)), default=0.0)

    def check(self, task: str, wanted: int) -> None:
        if wanted > self._most:
            raise ConfigError(
                f"--ray: found a cluster whose nodes have {self._most:g} GPUs at most, expected at"
                f" least {wanted}: the task {task} asks for so many"
            )

    def lease(self, wanted: int) -> tuple[str, ...] | None:
        del wanted
        return ()

    def give_back(self, leased: Sequence[str]) -> None:
        del leased


class RayCrew:
    """Hands of the cluster at `address`. Raises ConfigError as `connect`."""

    def __init__(self, address: str | None) -> None:
        self._ray = connect(address)
        self._hands: list[RayHand] = []
        self.folder = Path()
        self.shared = True

    @property
    def pool(self) -> RayPool:
        return RayPool(self._ray)

    @property
    def cpus(self) -> int:
        """How many the cluster has now."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1.0)))

    def settle(self, folder: Path, log: Callable[[str], None]) -> None:
        """Find out whether every node sees the suite's folder."""
        self.folder = folder.resolve()
        with tempfile.NamedTemporaryFile(
            "w", dir=folder, prefix=".seen-", encoding="utf-8"
        ) as seen:
            text = secrets.token_hex(16)
            seen.write(text)
            seen.flush()
            os.chmod(seen.name, 0o644)  # noqa: PTH101 - an open file's name
            self.shared = all(self._asked(str(self.folder / Path(seen.name).name), text))
        if not self.shared:
            log(f"not every node sees {self.folder}: runs are sent back, each at its end")

    def _asked(self, path: str, text: str) -> list[bool]:
        ray = self._ray
        near = import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
        remote = ray.remote(num_cpus=0, max_retries=0)(sees)
        refs = [
            remote.options(scheduling_strategy=near(one["NodeID"], soft=False)).remote(path, text)
            for one in alive(ray)
        ]
        done, late = ray.wait(refs, num_returns=len(refs), timeout=_PROBE_S)
        if late:
            raise ConfigError(f"--ray: {len(late)} of {len(refs)} nodes did not answer")
        try:
            return ray.get(done)
        except ray.exceptions.RayError as error:
            raise ConfigError(f"--ray: a node cannot play: {error}") from error

    def hire(self) -> Hand:
        self._hands.append(RayHand(self._ray, self.folder, shared=self.shared))
        return self._hands[-1]

    def hear(self, within_s: float) -> Heard:
        heard: Heard = []
        waiting = {hand.words: hand for hand in self._hands if hand.words is not None}
        early = any(hand.has_news for hand in self._hands)
        if waiting and not early:
            self._ray.wait(list(waiting), timeout=within_s)
        elif not early:
            time.sleep(within_s)
        for hand in list(self._hands):
            said = hand.hear()
            if said is None:
                self._hands.remove(hand)
            if said != []:
                heard.append((hand, said))
        return heard


class RayHand:
    """Plays one cell after the other, each as a task that Ray places where there is room."""

    def __init__(self, ray: Any, folder: Path, *, shared: bool) -> None:
        self._ray = ray
        self._folder = folder
        self._shared = shared
        self._lock = ExitStack()
        self._news: list[dict[str, Any]] = []
        self._death: str | None = None
        self.words: Any = None
        """What the task says, as Ray brings it; None where there is none."""
        self.cell: Cell | None = None
        self.gpus: tuple[str, ...] = ()

    @property
    def has_news(self) -> bool:
        return bool(self._news) or self._death is not None

    def play(self, cell: Cell, gpus: tuple[str, ...], order: Mapping[str, Any]) -> None:
        self.cell, self.gpus = cell, gpus
        content = None
        if not self._shared:
            # Nobody there can hold the cell: it is held here for as long as it is played there.
            try:
                self._lock.enter_context(held(self._folder, cell.key))
            except HeldError:
                self._news.append({"kind": "elsewhere"})
                return
            if (self._folder / cell.key).is_dir():
                content = packed(self._folder, cell.key)
        errand = Errand(
            {"cell": cell.to_json(), **order},
            str(self._folder),
            self._shared,
            str(Path.cwd()),
            carried(os.environ),
            content,
        )
        asked = find_task(cell.task).spec.resources
        ray = self._ray

        def play(errand: Errand) -> Any:
            yield from play_there(errand, tuple(map(str, ray.get_gpu_ids())))

        # A task that asks for more than the largest node has gets that one to itself.
        cpus = min(float(asked.cpus), largest_node(ray))
        remote = ray.remote(
            num_cpus=cpus, num_gpus=asked.gpus, max_retries=0, num_returns="streaming"
        )(play)
        self.words = remote.options(name=cell.key).remote(errand)

    def hear(self) -> list[dict[str, Any]] | None:
        """What it has said by now; None where it is dead."""
        self._listen()
        if self._death is not None:
            return None
        news, self._news = self._news, []
        return news

    def _listen(self) -> None:
        while self.words is not None and self._ray.wait([self.words], timeout=0)[0]:
            try:
                message = self._ray.get(next(self.words))
            except StopIteration:
                self._lose("it ended without a word")
                return
            except self._ray.exceptions.RayError as error:
                self._lose(f"{type(error).__name__}: {str(error).strip().splitlines()[0]}")
                return
            if message["kind"] == FILES:
                message = self._arrived(message["content"])
            if message is not None:
                self._news.append(message)
            if message is not None and message["kind"] not in GOING_ON:
                # The rest of what it says is its end, which nobody waits for.
                self.words = None
                self._lock.close()

    def _lose(self, why: str) -> None:
        self.words, self._death = None, f"its Ray task was lost: {why}"
        self._lock.close()

    def _arrived(self, content: bytes) -> dict[str, Any] | None:
        """Put what was sent back into the suite's folder; the message of a failure to."""
        if self.cell is None:
            return None
        try:
            with tempfile.TemporaryDirectory(dir=self._folder, prefix=".arriving-") as name:
                unpacked(content, Path(name))
                _put(Path(name), self._folder, self.cell.key)
        except (OSError, tarfile.TarError) as error:
            return {"kind": "failed", "reason": f"what was sent back cannot be kept: {error}"}
        return None

    def dismiss(self) -> None:
        self._lock.close()

    def stop(self) -> None:
        if self.words is not None:
            self._ray.cancel(self.words)

    def has_ended(self, within_s: float) -> bool:
        if self.words is not None:
            self._ray.wait([self.words], timeout=within_s)
            self._listen()
        return self.words is None

    def end(self, within_s: float) -> str:
        del within_s
        if self.words is not None:
            self._ray.cancel(self.words, force=True)
        self._lock.close()
        return self._death or "its Ray task was ended"


def _put(arrived: Path, folder: Path, key: str) -> None:
    """Put the cell's run at its place, and what was lost or put aside beside what was before."""
    for path in sorted(arrived.glob(f"{key}.lost*")):
        path.rename(free(folder / f"{key}.lost"))
    for path in sorted((arrived / ASIDE).glob("*")):
        (folder / ASIDE).mkdir(exist_ok=True)
        path.rename(free(folder / ASIDE / f"{key}."))
    if (arrived / key).is_dir():
        shutil.rmtree(folder / key, ignore_errors=True)
        (arrived / key).rename(folder / key)
    keep_log(folder, arrived)
