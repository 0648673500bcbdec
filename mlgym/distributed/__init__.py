"""MLGym past one machine: environments in Ray actors, the cells of a suite as Ray tasks.

Needs the extra `mlgym[ray]`; importing this needs nothing.
"""

from __future__ import annotations

from mlgym.distributed.env import RayVectorEnv

__all__ = ["RayVectorEnv"]
