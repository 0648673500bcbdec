"""Proves a task sound: its data, baseline, solution and grader do what `task.yaml` says.

`check_task` answers with findings, one a claim; `measure_baseline` with the numbers that an author
commits.
"""

from mlgym.task.check.claims import CheckReport, Finding
from mlgym.task.check.memory import Memory
from mlgym.task.check.proof import broken_task, check_task
from mlgym.task.check.sample import find_sample
from mlgym.task.trial import measure_baseline

__all__ = [
    "CheckReport",
    "Finding",
    "Memory",
    "broken_task",
    "check_task",
    "find_sample",
    "measure_baseline",
]
