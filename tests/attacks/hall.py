"""Where attacks meet real environments: a row is carried out, and checked as every row is."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import textwrap
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from attacks import host
from attacks.attack import CANARY, PRELUDE, SCRIPT, Attack
from attacks.vault import HONEST, write_vault

from mlgym.env import MLGymEnv

RESIDENT = "86399"
"""How long the neighbour's process sleeps: the word to look for it by."""
TREASURE = "treasure-5d0a"
KILLED_JOB = re.compile(r"^/run/sh/bash: line \d+: +\d+ Killed .*\n", re.M)
"""Bash's own word on a job that a time-out or a flood has ended, as late as it likes."""
_EXPORTED = 32 << 20


@dataclass(frozen=True, slots=True)
class Hall:
    """Two environments to attack, one beside them that must not notice, and a host with secrets.

    `patient` lets a command run for a minute, `quick` for a second. `words` stand in the rows'
    texts as `@WORD@`.
    """

    patient: MLGymEnv
    quick: MLGymEnv
    neighbour: MLGymEnv
    neighbour_guest: int
    temporary: Path
    guarded: list[Path]
    words: dict[str, str]

    def filled(self, text: str) -> str:
        for word, value in self.words.items():
            text = text.replace(f"@{word}@", value)
        return text

    def condition(self) -> tuple[object, ...]:
        """All of the host that an attack must leave as it was."""
        return (
            sorted(path.name for path in self.temporary.iterdir()),
            host.fingerprint(self.guarded),
            sorted(host.family(self.neighbour_guest)),
            self.neighbour.sandbox.read("/workspace/treasure", 100),
        )


@contextmanager
def open_hall(backend: str, folder: Path, patch: pytest.MonkeyPatch) -> Generator[Hall]:
    """Start the three environments below the empty folder `folder`."""
    patch.setenv("OPENAI_API_KEY", CANARY)
    name = f"mlgym-attacks-{os.getpid()}-{folder.name}"
    secret = folder / "secret.txt"
    secret.write_text(CANARY)
    patient, quick = write_vault(folder / "patient"), write_vault(folder / "quick", 1.0)
    with ExitStack() as held:
        port = held.enter_context(host.service(name))
        temporary = held.enter_context(host.temporary_files(folder, patch))
        envs = [
            held.enter_context(MLGymEnv(task, sandbox=backend))
            for task in (patient, quick, patient)
        ]
        warm(envs[0])
        for env in envs[1:]:
            env.reset()
        envs[2].step(f"echo {TREASURE} > treasure; sleep {RESIDENT} >/dev/null 2>&1 &")
        yield Hall(
            *envs,
            neighbour_guest=host.guest_of(envs[2].sandbox),
            temporary=temporary,
            guarded=[patient, quick],
            words={"PORT": str(port), "SERVICE": name, "SECRET": str(secret)},
        )


def withstand(hall: Hall, attack: Attack) -> None:
    """Carry out a row, and check what it wants and what every row wants."""
    env = hall.quick if attack.quick else hall.patient
    try:
        _withstand(hall, env, attack)
    except BaseException:
        # Whatever it has broken is not to be the next row's fault.
        env.close()
        raise


def _withstand(hall: Hall, env: MLGymEnv, attack: Attack) -> None:
    warm(env)
    before, guest = hall.condition(), host.guest_of(env.sandbox)
    if attack.script:
        script = hall.filled(PRELUDE + textwrap.dedent(attack.script))
        env.sandbox.write(SCRIPT, script.encode())
    said = "".join(answer(env, hall.filled(action)) for action in attack.actions)
    expect(said, attack.says, attack.never)
    assert host.moving(guest, attack.rest_s) == {}, "something runs between two commands"
    if attack.export:
        check_export(env)
    alive = KILLED_JOB.sub("", answer(env, "echo alive"))
    assert attack.alive is None or alive == attack.alive
    env.reset()
    assert len(host.family(guest)) == 1, "a process outlived the reset"
    assert answer(env, "echo alive") == "alive\n"
    if attack.later:
        expect("".join(answer(env, action) for action in attack.later), attack.later_says, "GAINED")
        env.reset()
    assert host.guest_of(env.sandbox) == guest, "the sandbox was lost, and another one was started"
    assert host.strays(env.sandbox) == []
    assert hall.condition() == before, "the host is not what it was"


def warm(env: MLGymEnv) -> None:
    """Start an environment anew. The grader's sandboxes are then part of what there was before."""
    is_new = env.laboratory.sandbox is None
    env.reset()
    if is_new:
        env.step("validate")
        env.reset()


def answer(env: MLGymEnv, action: str) -> str:
    """What a step answers. Nothing that it says or records may hold a canary or a gain."""
    observation, _, _, _, info = env.step(action)
    record = json.dumps(asdict(env.last_transition), default=str)  # type: ignore[arg-type]
    for told in (observation, repr(info), record):
        assert CANARY not in told
        assert TREASURE not in told
    right = info.get("metrics", {}).get("right", 0.0)
    assert right <= HONEST, f"{action!r:.80} scored {right}"
    return observation


def expect(said: str, wanted: str, unwanted: str) -> None:
    """That an answer holds one pattern and not the other."""
    shown = said if len(said) < 2000 else f"{said[:1000]}\n...\n{said[-1000:]}"
    assert re.search(wanted, said, re.S), f"{wanted!r} is not in:\n{shown}"
    assert not re.search(unwanted, said), f"{unwanted!r} is in:\n{shown}"


def check_export(env: MLGymEnv) -> None:
    """The workspace can be taken out, or is too large: nothing else may come of it."""
    try:
        data = b"".join(env.laboratory.export_workspace(_EXPORTED))
    except OSError:
        return
    assert CANARY.encode() not in data
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        for member in tar:
            assert member.isreg(), member
            assert not member.name.startswith("/"), member
            assert ".." not in member.name.split("/"), member
