"""Many environments as one: `gym.make_vec`, `mlgym.make_vec`, `mlgym.rollouts`."""

from __future__ import annotations

from mlgym.vector.env import MLGymVectorEnv, make_vec

__all__ = ["MLGymVectorEnv", "make_vec"]
