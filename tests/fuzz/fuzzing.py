"""How long and how repeatably fuzzing goes on: short and always the same, or long and new.

`MLGYM_FUZZ_ACTIONS` is the number of actions, over both sandboxes: `make test-fuzz N=100000` sets
it. Then every run draws other ones, else all runs draw the same, so that CI is stable.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

ACTIONS = int(os.environ.get("MLGYM_FUZZ_ACTIONS", "5000"))
FACTOR = ACTIONS / 5000


def fuzz(examples: int, **others: int) -> settings:
    """The settings of a test with so many examples."""
    return settings(
        max_examples=max(1, examples),
        derandomize="MLGYM_FUZZ_ACTIONS" not in os.environ,
        database=None,
        deadline=None,
        print_blob=True,
        # A step takes its time, so that shrinking would take hours: what failed is shown whole.
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        suppress_health_check=list(HealthCheck),
        **others,
    )
