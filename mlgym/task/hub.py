"""Fetches a dataset of the Hugging Face Hub and keeps its rows as lines of JSON.

    $MLGYM_HOME/sources/<hash>/<owner>__<name>[__<config>]/<split>.jsonl.gz

One object a row, in the dataset's order; images, sounds and other bytes are base64 of the encoded
file. Data scripts read that with the standard library: no image needs the library that fetched it.
"""

from __future__ import annotations

import base64
import copy
import gzip
import hashlib
import importlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any, cast

from filelock import FileLock

from mlgym import catalog
from mlgym.errors import ConfigError, SandboxError, TaskError
from mlgym.task.spec import SourceSpec, Task

Log = Callable[[str], None]
_EVERY = 100_000  # rows between two lines that tell how far it is


def fetch_dataset(task: Task, source: SourceSpec, log: Log) -> Path:
    """The folder of the dataset's splits, written where it is missing.

    Raises:
        ConfigError: the library is missing, or a copy that the user placed is another one.
        TaskError: the dataset has no such config, split or number of rows, or another sum.
        SandboxError: it cannot be fetched; the message says what to do without a network.
    """
    pinned = source.model_dump_json(exclude={"hint", "profiles"}, exclude_defaults=True)
    home = catalog.home() / "sources"
    folder = home / hashlib.sha256(pinned.encode()).hexdigest()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(home / f".{folder.name}.lock"):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(prefix=".fetch-", dir=home) as temporary:
                fresh = Path(temporary) / "dataset"
                (fresh / folder_name(source)).mkdir(parents=True)
                _write_splits(_origin(task, source), fresh / folder_name(source), log)
                fresh.rename(folder)
    return folder / folder_name(source)


def folder_name(source: SourceSpec) -> str:
    """The dataset's name as a folder's: `owner__name`, or `owner__name__config`."""
    parts = [*str(source.dataset).split("/"), *([source.config] if source.config else [])]
    return "__".join(parts)


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where the rows come from, and whose fault it is where they do not.

    `placed` is a copy that the user made, None where the Hub is to be asked.
    """

    task: Task
    source: SourceSpec
    placed: Path | None

    @property
    def words(self) -> str:
        source = self.source
        config = f", config {source.config}" if source.config else ""
        return f"the dataset {source.dataset}{config}, revision {source.version}"

    def rows(self, split: str) -> Iterator[Mapping[str, Any]]:
        """The rows of one split, as far as they are wanted, bytes undecoded."""
        library, source = _library(self.task), self.source
        place, config, options = str(source.dataset), source.config, {"revision": source.version}
        if self.placed is not None:
            # A copy of one config alone has no configs to choose from.
            config = None if self.placed.name == folder_name(source) else config
            place, options = str(self.placed), {}
        # Streamed, a dataset is not kept a second time; whole, one that was kept is found again.
        streaming = self.placed is not None or source.rows is not None
        try:
            found = library.load_dataset(place, config, split=split, streaming=streaming, **options)
            found = _undecoded(found)
            yield from found if source.rows is None else found.take(source.rows)
        # The library raises whatever the libraries below it raise.
        except Exception as error:
            raise self._failure(error) from error

    def wrong(self, found: str) -> ConfigError | TaskError:
        """The error for rows that are not the pinned ones."""
        if self.placed is not None:
            return ConfigError(f"{self.placed}: {found}: another copy of {self.words} is needed")
        return TaskError(f"{self.task.folder / 'task.yaml'}: sources: {self.words}: {found}")

    def _failure(self, error: Exception) -> ConfigError | TaskError | SandboxError:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if self.placed is not None or isinstance(error, ValueError):
            return self.wrong(said)
        place = catalog.home() / "manual" / self.task.spec.id / folder_name(self.source)
        return SandboxError(
            f"{self.task.spec.id}: {self.words}, cannot be fetched ({said}): without a network, "
            f"put its files (parquet, say) into {place}/, or carry HF_HOME over from a machine "
            "that has fetched it and set HF_HUB_OFFLINE=1"
        )


def _origin(task: Task, source: SourceSpec) -> _Origin:
    manual = catalog.home() / "manual" / task.spec.id
    names = (folder_name(source), str(source.dataset).replace("/", "__"))
    placed = (manual / name for name in names)
    return _Origin(task, source, next((folder for folder in placed if folder.is_dir()), None))


def _library(task: Task) -> Any:
    """The library `datasets`, which is large and needed here alone."""
    try:
        return importlib.import_module("datasets")
    except ImportError as error:
        raise ConfigError(
            f"{task.spec.id}: this profile reads a dataset of the Hugging Face Hub, which needs a "
            f"library that is missing ({error}): `pip install 'mlgym[full]'`"
        ) from None


def _write_splits(origin: _Origin, folder: Path, log: Log) -> None:
    source = origin.source
    digest = hashlib.sha256()
    for split, declared in source.splits.items():
        log(f"fetching {split} of {origin.words}")
        wanted = declared if source.rows is None else min(declared, source.rows)
        found = 0
        # No name and no time in the header: the same rows are the same file.
        with (
            (folder / f"{split}.jsonl.gz").open("wb") as file,
            gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as out,
        ):
            for row in origin.rows(split):
                line = json.dumps(_plain(row), ensure_ascii=False, separators=(",", ":"))
                data = line.encode("utf-8", "surrogatepass") + b"\n"
                digest.update(data)
                out.write(data)
                found += 1
                if found % _EVERY == 0:
                    log(f"fetched {found} of {wanted} rows of {split}")
        if found != wanted:
            raise origin.wrong(f"{split} has {found} rows, expected {wanted}")
    if source.sha256 not in (None, digest.hexdigest()):
        raise origin.wrong(f"found sum {digest.hexdigest()}, expected {source.sha256}")
    log(f"fetched {origin.words}: sha256 {digest.hexdigest()}")


def _undecoded(dataset: Any) -> Any:
    """The dataset with every image and sound as the bytes of its file."""
    for name, feature in dict(dataset.features or {}).items():
        bare = _bare(feature)
        if bare != feature:
            dataset = dataset.cast_column(name, bare)
    return dataset


def _bare(feature: Any) -> Any:
    if isinstance(feature, dict):
        inner = cast("dict[str, Any]", feature)
        return {name: _bare(part) for name, part in inner.items()}
    if isinstance(feature, list):
        return [_bare(part) for part in cast("list[Any]", feature)]
    for attribute, value in (("decode", False), ("feature", None)):
        if hasattr(feature, attribute):
            feature = copy.copy(feature)
            inside = _bare(feature.feature) if attribute == "feature" else value
            setattr(feature, attribute, inside)
    return feature


def _plain(value: Any) -> Any:
    """A cell as JSON has it."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        cells = cast("Mapping[str, Any]", value)
        if set(cells) == {"bytes", "path"}:  # an encoded file, as the library has it
            content = cells["bytes"]
            return _plain(Path(cells["path"]).read_bytes() if content is None else content)
        return {name: _plain(cell) for name, cell in cells.items()}
    if isinstance(value, list | tuple):
        return [_plain(cell) for cell in cast("Iterable[Any]", value)]
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        return None
    if value is None or isinstance(value, str | int | float):
        return value
    return value.isoformat() if isinstance(value, date | time) else str(value)
