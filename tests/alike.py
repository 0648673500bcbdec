"""Whether two vectors of environments answer alike, and actions that try them out."""

from __future__ import annotations

import numpy as np

ACTIONS = (
    "echo $((A += 1)) $PWD",
    "cd /tmp; false",
    "echo 4 > /workspace/answer.txt",
    "echo nonsense > /workspace/answer.txt",
    "validate",
    "submit",
    "forfeit",
    'open "README.md"',
    "sh -c 'exit 3' | cat; sleep 0.01",
    "",
    "no_such_program",
)


def same(ours: object, theirs: object) -> None:
    """Whether two parts of what a vector returns are equal, and of one type."""
    assert type(ours) is type(theirs)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        assert sorted(ours) == sorted(theirs)
        for key in ours:
            same(ours[key], theirs[key])
    elif isinstance(ours, tuple) and isinstance(theirs, tuple):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            same(one, other)
    elif isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    else:
        assert ours == theirs
