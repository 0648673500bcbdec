"""Makes the tasks known to Gymnasium, as strings: nothing is loaded until `gym.make`.

`import mlgym` must cost little, also where Gymnasium is not needed at all (`mlgym --help`). So the
built-in ids are registered at once where Gymnasium is imported already, else right after it is.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

BUILTIN_TASKS: tuple[tuple[str, int], ...] = (
    ("battle_of_sexes", 1),
    ("blotto", 1),
    ("breakout_minatar", 1),
    ("cifar10", 1),
    ("coco_captioning", 1),
    ("fashion_mnist", 1),
    ("fineweb_lm", 1),
    ("house_price", 1),
    ("meta_maze", 1),
    ("mnli", 1),
    ("model_soup", 1),
    ("mountain_car", 1),
    ("prisoners_dilemma", 1),
    ("sat3", 1),
    ("tree_skeletons", 1),
)
"""(task, version) of every task that MLGym ships."""


def register_builtin() -> None:
    """Register the built-in ids, now or as soon as Gymnasium is imported."""
    if "gymnasium.envs.registration" in sys.modules:
        _register((task, version, task) for task, version in BUILTIN_TASKS)
    elif not any(isinstance(finder, _AfterGymnasium) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterGymnasium())


def register_packs() -> list[str]:
    """Register the tasks of all packs (see `mlgym.catalog`); the ids that are new.

    Raises:
        ConfigError: two packs hold a task of the same name.
        TaskError: a task's spec is broken.
    """
    from mlgym import catalog
    from mlgym.task.spec import load_task

    builtin = {task for task, _ in BUILTIN_TASKS}
    folders = [path for name, path in catalog.shelf("tasks").items() if name not in builtin]
    found = [(load_task(path).spec, path) for path in folders]
    return _register((spec.id, spec.version, str(path)) for spec, path in found)


def _register(tasks: Iterable[tuple[str, int, str | Path]]) -> list[str]:
    from gymnasium.envs.registration import (
        register,  # pyright: ignore[reportUnknownVariableType] - its kwargs are a bare dict
        registry,
    )

    new: list[str] = []
    for name, version, task in tasks:
        env_id = f"mlgym/{name}-v{version}"
        if env_id not in registry:
            register(
                id=env_id,
                entry_point="mlgym.env:MLGymEnv",
                vector_entry_point="mlgym.vector:MLGymVectorEnv",
                kwargs={"task": task},
            )
            new.append(env_id)
    return new


class _AfterGymnasium(importlib.abc.MetaPathFinder):
    """Steps in once, when `gymnasium` is looked for, to register after it was executed."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        del path, target
        if fullname != "gymnasium":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return None
        spec.loader = _ThenRegister(spec.loader)
        return spec


class _ThenRegister(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # Gymnasium keeps its own loader, as if we had never been here.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        register_builtin()
