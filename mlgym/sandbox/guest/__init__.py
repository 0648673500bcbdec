"""The part of MLGym that runs inside a sandbox, as its PID 1. Standard library only.

The folder is bound read-only into the sandbox and started with `python3 -I -S`; nothing of it may
import the rest of MLGym. What it says is untrusted on the host's side: it can spoil an observation,
never a score.

Every cold start waits for these modules: `typing` and `dataclasses`, which take longer to import
than all the rest, are left out. What only a type checker needs stands under `TYPE_CHECKING`.
"""
