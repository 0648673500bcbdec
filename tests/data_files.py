"""Files of data, made from columns in tests."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def table(columns: Mapping[str, Sequence[Any]]) -> str:
    """A CSV file's text."""
    lines = [",".join(columns)]
    lines += [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    return "\n".join(lines) + "\n"


def arrays(**named: Any) -> bytes:
    """An .npz file's bytes."""
    out = io.BytesIO()
    np.savez(out, **{name: np.asarray(value) for name, value in named.items()})
    return out.getvalue()


def npy(array: Any) -> bytes:
    """An .npy file's bytes."""
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
