"""A vector that is stepped while processes of its sandboxes are killed, and the account of it.

Every answer is held against what its environment's shell must say: a loss may be told only where
something was killed, and what was killed must be told.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from soaking import children

from mlgym.sandbox.guest_sandbox import GuestSandbox
from mlgym.sandbox.slots import start_time
from mlgym.vector import MLGymVectorEnv
from mlgym.vector.seat import FAILURE

COUNT = "n=$((n + 1)); echo $n"
SLOW = f"sleep 0.3; {COUNT}"
LOOK = 'open "README.md"'
GRADED = "validate"
END = "forfeit"
RESET = "reset"
NEW_SHELL = "[the shell ended; a new one was started"
GRADERS = 8
"""Only so many environments validate: each one's grader is a sandbox too."""
LATE_S = 1.0
"""How much later than a kill a command that is begun must not succeed any more."""


@dataclass(slots=True)
class Member:
    """One environment: what it was asked when, and what its shell has counted to.

    `prey` are the processes of its sandbox by role, as descriptors that name them for ever;
    `killed` are the roles whose loss is still to be told, and when they were killed.
    """

    asked: str = ""
    since: float = 0.0
    count: int = 0
    root: int = 0
    guest: int = 0
    prey: dict[str, int] = field(default_factory=dict[str, int])
    killed: dict[str, float] = field(default_factory=dict[str, float])

    def look(self, sandbox: GuestSandbox) -> tuple[int, str | None]:
        """Find its processes anew; the guest's pid, and when that started."""
        self.forget()
        root = sandbox.pids()[0]
        # Of a bwrap that was killed nothing descends any more.
        known = self.guest if root == self.root else 0
        self.root, self.guest = root, next(iter(children(root)), known)
        shells = children(self.guest) if self.guest else []
        pids = {"bwrap": self.root, "guest": self.guest, "shell": next(iter(shells), 0)}
        for role, pid in pids.items():
            with suppress(ProcessLookupError):
                if pid:
                    self.prey[role] = os.pidfd_open(pid)
        return self.guest, start_time(self.guest)

    def forget(self) -> None:
        while self.prey:
            os.close(self.prey.popitem()[1])

    def kill(self, role: str) -> bool:
        """Whether it was alive, and nothing of it is dying already."""
        if self.killed or role not in self.prey:
            return False
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.prey[role], signal.SIGKILL)
            # Without bwrap, which only waits, a sandbox goes on: there is nothing to tell.
            if role != "bwrap":
                self.killed[role] = time.monotonic()
            return True
        return False


class Fleet:
    """Steps `envs`, of the number task, from one thread. `tally` counts, `wrong` tells."""

    def __init__(self, envs: MLGymVectorEnv, rng: random.Random, pause: float = 0.0) -> None:
        self.members = [Member() for _ in range(envs.num_envs)]
        self.lock = threading.Lock()
        self.tally: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.guests: set[tuple[int, str | None]] = set()
        self._envs, self._rng, self._pause = envs, rng, pause

    def begin(self, seed: int) -> None:
        self._envs.reset(seed=seed)
        for number in range(len(self.members)):
            self._look(number)
            self.members[number].asked = ""

    def play(self, seconds: float) -> None:
        """Step them all for so long, each as soon as it has answered; some are left at work."""
        until = time.monotonic() + seconds
        self._ask({number: self._any(number) for number in range(len(self.members))})
        while time.monotonic() < until and len(self.wrong) < 10:
            self._ask({number: wanted or self._any(number) for number, wanted in self._answers()})
            time.sleep(self._pause)

    def settle(self) -> None:
        """Let everything be answered and told, once nothing is killed any more."""
        time.sleep(LATE_S)
        self._wait()
        self._ask(dict.fromkeys(range(len(self.members)), COUNT))
        self._wait()
        self.wrong += [
            f"environment {number}: {sorted(member.killed)} killed, and never told"
            for number, member in enumerate(self.members)
            if member.killed
        ]

    def _wait(self) -> None:
        while any(member.asked for member in self.members):
            self._ask({number: wanted for number, wanted in self._answers() if wanted})

    def close(self) -> None:
        for member in self.members:
            member.forget()

    def _any(self, number: int) -> str:
        rare = self._rng.random()
        if rare < 0.004:
            return END
        if rare < 0.012 and number < GRADERS:
            return GRADED
        if rare < 0.03:
            return LOOK
        return SLOW if rare < 0.06 else COUNT

    def _ask(self, wanted: dict[int, str]) -> None:
        for number, action in wanted.items():
            member = self.members[number]
            member.asked, member.since = action, time.monotonic()
        resets = [number for number, action in wanted.items() if action == RESET]
        steps = [number for number, action in wanted.items() if action != RESET]
        if resets:
            self._envs.send_reset(resets)
        if steps:
            self._envs.send([wanted[number] for number in steps], steps)

    def _answers(self) -> Iterator[tuple[int, str]]:
        """Who has answered, and what it must be asked next; "" for anything."""
        ids, texts, rewards, ended, cut, infos = self._envs.recv(timeout=60.0)
        void: Any = infos.get(f"_{FAILURE}", np.zeros(len(ids), np.bool_))
        for place, number in enumerate(ids.tolist()):
            why = infos[FAILURE][place] if void[place] else ""
            if why and (rewards[place] or ended[place]):
                self._object(number, f"a void step was paid or ended: {why}")
            with self.lock:
                over = bool(ended[place] or cut[place])
                wanted = self._judged(number, texts[place], over, why)
                self.members[number].asked = ""
            yield number, wanted

    def _judged(self, number: int, text: str, over: bool, why: str) -> str:
        member = self.members[number]
        asked, self.tally["answers"] = member.asked, self.tally["answers"] + 1
        if why:
            if member.killed.pop("guest", None) is None:
                self._object(number, f"a loss told of which nobody knows: {why}")
            self.tally["losses told"] += 1
            return RESET
        if asked == RESET:
            self._renewed(number, text)
            return ""
        if NEW_SHELL in text:
            if member.killed.pop("shell", None) is None:
                self._object(number, f"a new shell of which nobody knows: {text!r}")
            self.tally["new shells told"] += 1
            # The old shell may have answered before it died; the new one answers by 1 alone.
            said, before = text.partition("\n")[0] == "1", member.count
            member.count = int(said)
            self._look(number)
            return RESET if over or (said and before == 0) else ""
        self._held_against(number, text, asked)
        return RESET if over else ""

    def _held_against(self, number: int, text: str, asked: str) -> None:
        member = self.members[number]
        in_shell = asked in (COUNT, SLOW)
        for role, when in member.killed.items():
            if member.since > when + LATE_S and (role == "guest" or in_shell):
                self._object(number, f"its {role} was killed, and {asked!r} said {text!r}")
        if in_shell:
            member.count += 1
        expected: dict[str, Callable[[str], bool]] = {
            LOOK: lambda told: "Write a number into answer.txt." in told,
            GRADED: lambda told: told.startswith("The submission cannot be graded"),
            END: lambda told: told.startswith("The episode is over (forfeited)"),
        }
        right = expected.get(asked, lambda told: told == f"{member.count}\n")
        if not right(text):
            self._object(number, f"{asked!r} said {text!r}, the count is {member.count}")

    def _renewed(self, number: int, text: str) -> None:
        member = self.members[number]
        if not text.startswith("Write a number"):
            self._object(number, f"a reset said {text!r}")
        root = member.root
        self._look(number)
        member.count = 0
        self.tally["resets"] += 1
        # What was killed while no episode ran took nothing from anybody.
        if member.killed.pop("shell", None) is not None:
            self.tally["shells gone unused"] += 1
        if member.root != root and member.killed.pop("guest", None) is not None:
            self.tally["guests gone unused"] += 1

    def _look(self, number: int) -> None:
        sandbox = self._envs.envs[number].sandbox
        assert isinstance(sandbox, GuestSandbox)
        self.guests.add(self.members[number].look(sandbox))

    def _object(self, number: int, words: str) -> None:
        self.wrong.append(f"environment {number}: {words}")


class Killer(threading.Thread):
    """Kills a process of a sandbox at random moments, from outside, until it is told to stop."""

    def __init__(self, fleet: Fleet, rng: random.Random, per_second: float) -> None:
        super().__init__(daemon=True)
        self.enough = threading.Event()
        self._fleet, self._rng, self._rate = fleet, rng, per_second

    def run(self) -> None:
        while not self.enough.wait(self._rng.expovariate(self._rate)):
            role = self._rng.choices(("guest", "shell", "bwrap"), (6, 3, 1))[0]
            with self._fleet.lock:
                if self._rng.choice(self._fleet.members).kill(role):
                    self._fleet.tally[f"{role}s killed"] += 1

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self.enough.set()
        self.join()
