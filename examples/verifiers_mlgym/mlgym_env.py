"""MLGym's tasks under verifiers: what `vf-eval mlgym-env` looks for."""

from mlgym.integrations.verifiers import (
    MLGymEnvironment,
    MLGymHarness,
    MLGymTaskset,
    load_environment,
)

__all__ = ["MLGymEnvironment", "MLGymHarness", "MLGymTaskset", "load_environment"]
