"""What an environment holds from its first reset to its close: data, sandbox, grader.

Acquired by `open`, released by `close`. Between two episodes the sandbox is reset in place or, with
a pool, exchanged for one that was cleaned in the background.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from mlgym.errors import SandboxError
from mlgym.sandbox.backends import choose_backend, load_backend
from mlgym.sandbox.base import Backend, Sandbox, SandboxSpec
from mlgym.sandbox.images import require_environment
from mlgym.sandbox.pool import Pool, Pools
from mlgym.task.data import Prepared, choose_profile, find_prepared, missing_data, prepare
from mlgym.task.graders import Graders, Grades
from mlgym.task.grading import Grader
from mlgym.task.spec import Task
from mlgym.task.workspace import staged_workspace
from mlgym.tools.stubs import stubs_folder

WORKSPACE_DATA = "/workspace/data"
STUBS_INSIDE = "/opt/mlgym/bin"


@dataclass(frozen=True, slots=True)
class Origin:
    """Which task and data an environment is of: what fits one fits all of the same origin."""

    task: str
    task_sha256: str
    profile: str
    data_seed: int


class Laboratory:
    """One environment's. Names are resolved at construction, nothing is acquired before `open`.

    `graders`, set before `open`, are shared with others; where None it has a grader of its own.
    `gpu_ids`, set before `open`, are the GPUs that the workspace gets where the task asks for some.
    So is `pools`, by those who share some; otherwise there are `pool` spare sandboxes of its own.
    """

    def __init__(
        self,
        task: Task,
        sandbox: str,
        data: str,
        data_seed: int,
        pool: int = 0,
        *,
        with_solution: bool = False,
        runtime: str | None = None,
    ) -> None:
        self._task = task
        self.backend_name = choose_backend(sandbox, task.spec.resources.gpus)
        self.backend: Backend = load_backend(self.backend_name, runtime)
        self.profile = choose_profile(task, data, data_seed)
        self.data_seed = data_seed
        self.gpu_ids: tuple[str, ...] = ()
        self.graders: Graders | None = None
        self._runtime = runtime
        self._with_solution = with_solution
        self._held = ExitStack()
        self._own_pools = self.pools = Pools(pool)
        self._pool: Pool | None = None
        self.sandbox: Sandbox | None = None
        self._grader: Grades | None = None

    @property
    def origin(self) -> Origin:
        return Origin(self._task.spec.id, self._task.sha256, self.profile, self.data_seed)

    def open(self) -> Grades:
        """Bring the sandbox to a fresh start, and give the (warm) grader.

        Raises:
            ConfigError: the `full` data has not been prepared.
            SandboxError: no sandbox, or its image has not been built.
            TaskError: the data script is broken.
        """
        try:
            if self.sandbox is not None and self._grader is not None:
                self._renew(self.sandbox)
                return self._grader
            prepared = self._prepared()
            grader = self._grading(prepared)
            self.sandbox = self._first_sandbox(self._spec(prepared))
        except OSError as error:
            self.close()
            raise SandboxError(f"no workspace can be had: {error}") from error
        except BaseException:
            # Also where a reset failed: what is left of that sandbox cannot be started again.
            self.close()
            raise
        self._grader = grader
        return grader

    def _first_sandbox(self, spec: SandboxSpec) -> Sandbox:
        if not self.pools.spares:
            return self._held.enter_context(self.backend(spec))
        self._pool = self.pools.of(self.backend_name, self.backend, spec)
        return self._pool.take()

    def _renew(self, used: Sandbox) -> None:
        if self._pool is None:
            used.reset()
            return
        # From now on it is the pool's, whatever happens.
        self.sandbox = None
        self.sandbox = self._pool.exchange(used)

    def _grading(self, prepared: Prepared) -> Grades:
        def make() -> Grader:
            return Grader(self._task, prepared, self.backend)

        if self.graders is None:
            return self._held.enter_context(make())
        return self.graders.of((self.origin, self.backend_name, self._runtime), make)

    def export_workspace(self, max_bytes: int) -> Iterator[bytes]:
        """The regular files of the workspace, data not among them, as a tar stream.

        Raises OSError where they are more than `max_bytes`, SandboxError where the sandbox is lost.
        """
        if self.sandbox is None:
            raise SandboxError("there is no sandbox whose workspace could be exported")
        find = ["find", ".", "-path", "./data", "-prune", "-o", "-type", "f", "-printf", "%P\\0"]
        channel = self.sandbox.open(["sh", "-c", 'cd /workspace && exec "$@"', "sh", *find])
        names = b""
        while piece := channel.recv(60.0):
            names += piece
        paths = sorted(name.decode("utf-8", "surrogateescape") for name in names.split(b"\0")[:-1])
        return self.sandbox.export(paths, max_bytes)

    def close(self) -> None:
        """Release everything. Idempotent."""
        used, self.sandbox = self.sandbox, None
        pool, self._pool = self._pool, None
        self._grader = None
        if pool is not None and used is not None:
            pool.give_back(used)
        self._held.close()
        self._own_pools.close()

    def _prepared(self) -> Prepared:
        found = find_prepared(self._task, self.profile, self.data_seed)
        if found is not None:
            return found
        if self.profile != "mini":
            raise missing_data(self._task, self.profile, self.data_seed)
        python = None
        if self._task.spec.data is not None:
            python = require_environment(self._task.spec.image) / "bin" / "python"
        return prepare(self._task, self.profile, self.data_seed, python)

    def _spec(self, prepared: Prepared) -> SandboxSpec:
        spec = self._task.spec
        return SandboxSpec(
            image=spec.image,
            workspace=staged_workspace(self._task, self._with_solution),
            mounts=((prepared.public, WORKSPACE_DATA), (stubs_folder(), STUBS_INSIDE)),
            limits=spec.limits(),
            network=spec.resources.network,
            label=f"{spec.id}-workspace",
            gpus=spec.resources.gpus,
            gpu_ids=self.gpu_ids,
        )
