"""Submitted programs that lie, cheat, look around, or break what they run in.

A program is refused, or gets what an honest one gets; the next one is graded as if it had not been.
`tests/task/test_player.py` has the forged frames one by one.
"""

from __future__ import annotations

import pytest
from attacks.attack import Attack, program
from attacks.court import Court, stand_trial
from attacks.vault import HONEST, HONEST_PROGRAM

FAIR = f"^scored {HONEST}$"
NO_BIT = "^refused: .*which is no (bit|three bits)|^refused: .*which are no"
FAILED = "^refused: the submitted program (failed|answered)"
ANY = "^refused: |" + FAIR

INSIDER = """\
import ctypes, gc, inspect, json, os, signal, socket, struct, sys, threading, time
import numpy as np

pipe = next(found for found in gc.get_objects() if type(found).__name__ == "Pipe")
CANARY = "canary-" + "7c1e94d2b8"


def ticket():
    frame = sys._getframe()
    while "ticket" not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals["ticket"]


def frame(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">II", len(text), len(body)) + text + body


def raw(data):
    data = memoryview(data)
    while data:
        data = data[os.write(pipe._out, data):]


def guess_all(numbers):
    return np.zeros(3, dtype="int64")

"""


def insider(name: str, says: str, guess: str, before: str = "") -> Attack:
    """A program that knows the kit: `guess` is the body of the function that is called first."""
    body = "".join(f"    {line}\n" for line in guess.splitlines())
    return program(name, f"{INSIDER}{before}\ndef guess(number):\n{body}", says)


FRAMES = (
    insider(
        "a frame shorter than it says",
        "did not answer|ended",
        "raw(struct.pack('>II', 50, 0) + b'{}'); time.sleep(9)",
    ),
    insider("a frame of four gigabytes", "too much", "raw(b'\\xff' * 8); time.sleep(9)"),
    insider("an answer that comes late", "did not answer within 1 s", "time.sleep(1.3)\nreturn 0"),
    insider(
        "an answer before its question",
        "not asked",
        "return 0",
        "raw(frame({'ticket': '0' * 16, 'values': [{'value': 1}]}) * 3)",
    ),
    insider(
        "two answers to one question",
        "not asked|nonsense",
        "raw(frame({'ticket': ticket(), 'values': [{'value': 0}]}))\nreturn 0",
    ),
    insider(
        "one ticket for every answer",
        "not asked",
        "global first\nfirst = globals().get('first') or ticket()\n"
        "raw(frame({'ticket': first, 'values': [{'value': 0}]}))\n"
        "pipe.send = lambda *_: None",
    ),
    insider(
        "an outcome in the referee's words",
        "nonsense|not asked",
        "raw(frame({'metrics': {'right': 6.0}}) + frame({'metrics': {'right': 6.0}}))\n"
        "time.sleep(9)",
    ),
    insider(
        "a question in the referee's words",
        "nonsense|not asked",
        "raw(frame({'player': 'call', 'values': [], 'ticket': 'x', 'timeout_s': 1e9}))\n"
        "time.sleep(9)",
    ),
    insider(
        "a failure in the host's words",
        "nonsense|not asked",
        "raw(frame({'failed': 'x', 'header_size': -1, 'ticket': 0}))\ntime.sleep(9)",
    ),
    insider(
        "keys given twice",
        NO_BIT,
        'raw(frame(b\'{"ticket": "x", "ticket": "%s", "values": [{"value": 9,'
        ' "value": 7}]}\' % ticket().encode()))\npipe.send = lambda *_: None',
    ),
    insider(
        "an array and a value in one",
        NO_BIT + "|nonsense",
        "raw(frame({'ticket': ticket(), 'values': [{'value': 0, 'array': 'int64', 'shape': [],"
        " 'size': 8}]}, bytes(8)))\npipe.send = lambda *_: None",
    ),
    insider(
        "a drop at a time",
        "did not answer within",
        "for byte in frame({'ticket': ticket(), 'values': [{'value': 0}]}):\n"
        "    os.write(pipe._out, bytes([byte])); time.sleep(0.1)",
    ),
)
PROCESS = (
    insider("the end of the process, at once", "ended", "os._exit(0)"),
    insider("the end of the process, politely", FAILED, "sys.exit(0)"),
    insider("an interrupt", "ended|failed", "raise KeyboardInterrupt"),
    insider(
        "an exception that cannot be told",
        "ended|failed",
        "class Evil(Exception):\n    def __str__(self): os._exit(3)\nraise Evil",
    ),
    insider("an endless recursion", "ended|failed", "return guess(number)"),
    insider("a crash", "ended", "ctypes.string_at(0)"),
    insider(
        "threads that are left",
        FAIR,
        "return 0",
        "for _ in range(50): threading.Thread(target=time.sleep, args=(60,)).start()",
    ),
    insider(
        "children that are left",
        FAIR,
        "return 0",
        "for _ in range(30):\n    if os.fork() == 0:\n        os.setsid()\n"
        "        time.sleep(60)\n        os._exit(0)",
    ),
    insider(
        "words on every descriptor",
        ANY,
        "return 0",
        "for n in range(64):\n    try: os.write(n, frame({'values': [{'value': 1}]}))\n"
        "    except OSError: pass",
    ),
    insider(
        "words on standard output",
        FAIR,
        "print('x' * 1000, flush=True)\nreturn 0",
        "print(frame({'metrics': {'right': 6.0}}), flush=True); os.system('echo x')",
    ),
    insider("a flood of last words", "ended", "os.write(2, b'x' * (1 << 24))\nos._exit(0)"),
    insider(
        "everything killed, the program too", "ended", "os.kill(-1, 9)\nos.kill(os.getpid(), 9)"
    ),
    insider(
        "every signal to PID 1 from a program",
        ANY,
        "for n in range(1, 65):\n    try: os.kill(1, n)\n    except OSError: pass\nreturn 0",
    ),
    insider(
        "limits for PID 1",
        ANY,
        "import resource\ntry: resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))\n"
        "except OSError: pass\nreturn 0",
    ),
    insider(
        "everyone stopped",
        "did not answer|ended",
        "os.kill(-1, signal.SIGSTOP)\nos.kill(os.getpid(), signal.SIGSTOP)",
    ),
    insider(
        "memory without end, of no process",
        "ended|failed|did not",
        "fds = []\nwhile True:\n    fds.append(os.memfd_create('x'))\n"
        "    for _ in range(64): os.write(fds[-1], bytes(1 << 20))\n"
        "    if len(fds) > 24: os._exit(5)",
    ),
    insider(
        "the folders closed behind it",
        FAIR,
        "return 0",
        "for f in ('/workspace', '/tmp', '/home/agent', '/dev/shm'): os.chmod(f, 0)",
    ),
    insider(
        "files in the way of the wipe",
        FAIR,
        "return 0",
        "for n in range(300): os.makedirs(f'/workspace/.wipe-{n}-1/x/y')\n"
        "os.makedirs('/workspace/a/b/c')",
    ),
)
INSIDE = (
    insider(
        "the kit's functions replaced",
        ANY,
        "return 0",
        "kit = sys.modules['mlgym_kit']\n"
        "for name in ('pack_values', 'unpack_values', 'check_sizes', 'plain', 'PREFIX'):\n"
        "    setattr(kit, name, lambda *a: (_ for _ in ()).throw(SystemExit(0)))",
    ),
    insider(
        "the standard library replaced",
        ANY,
        "return 0",
        'json.dumps = lambda *a, **k: \'{"metrics": {"right": 6.0}}\'\n'
        "json.loads = lambda *a, **k: {}\nstruct.pack = os.urandom = lambda *a: b'x'",
    ),
    insider(
        "chance replaced",
        FAIR,
        "return 0",
        "import random, secrets\nrandom.seed(1); random.random = lambda: 0\n"
        "np.random.seed = lambda *a: None; secrets.token_hex = lambda n: '0' * 16",
    ),
    insider(
        "the referee's secrets in objects, frames and memory",
        FAIR,
        "found = []\nframe_ = sys._getframe()\nwhile frame_:\n"
        "    found.append(repr(frame_.f_locals)); frame_ = frame_.f_back\n"
        "found += [repr(o)[:500] for o in gc.get_objects() if isinstance(o, (dict, str, bytes))]\n"
        "words = [w for w in found if 'labels' in w or 'secret.txt' in w]\n"
        "words = [w for w in words if 'words' not in w]\n"
        "return 0 if not words else 'GAI' + 'NED' + str(words)[:200]",
    ),
    insider(
        "answers, graders and keys in files and processes",
        FAIR,
        "found = [p for p in ('/answers/labels.csv', '/grader/grade.py') if os.path.exists(p)]\n"
        "found += [k for k in os.environ if 'KEY' in k or 'MLGYM' in k]\n"
        "for pid in filter(str.isdigit, os.listdir('/proc')):\n"
        "    for kind in ('environ', 'cmdline'):\n"
        "        try: told = open(f'/proc/{pid}/{kind}', 'rb').read()\n"
        "        except OSError: continue\n"
        "        if CANARY.encode() in told or b'KEY=' in told or b'referee' in told:\n"
        "            found.append(told)\n"
        "return 0 if not found else 'GAI' + 'NED' + repr(found)",
    ),
    insider(
        "the kernel asked for another namespace",
        FAIR,
        "libc = ctypes.CDLL(None)\n"
        "return 0 if libc.unshare(0x10000000) and libc.unshare(0x20000) else 'GAI' + 'NED'",
    ),
    insider(
        "a network",
        FAIR,
        "try: socket.create_connection(('10.255.255.254', 80), 0.3)\n"
        "except OSError: return 0\nreturn 'GAI' + 'NED'",
    ),
    program("a program whose module is none", "raise SystemExit(0)", FAILED),
    program(
        "a program that replaces itself",
        f"import sys\nclass M:\n    guess = 6\nsys.modules[__name__] = M()\n{HONEST_PROGRAM}",
        FAIR,
    ),
    program("a program that is none", "\0\0\0", FAILED),
    program("a program too deep to parse", "x = " + "(" * 5000, "ended|failed"),
)
ROWS = (*FRAMES, *PROCESS, *INSIDE)


LEFT = insider(
    "something left for the next program",
    FAIR,
    "return 0 if not FOUND else 'GAI' + 'NED' + repr(FOUND)",
    """
FOUND = [f for f in ("/workspace", "/tmp", "/home/agent", "/dev/shm") if os.listxattr(f)]
FOUND += os.listdir("/tmp") + os.listdir("/dev/shm") + os.listdir("/home/agent")
FOUND += [line for kind in ("shm", "sem", "msg")
          for line in open(f"/proc/sysvipc/{kind}").read().splitlines()[1:]]
for folder in ("/tmp", "/dev/shm", "/home/agent"):
    os.setxattr(folder, "user.left", b"x")
    open(folder + "/left", "w").close()
ctypes.CDLL(None).shmget(7, 4096, 0o1666)
""",
)


@pytest.mark.parametrize("attack", ROWS, ids=lambda attack: attack.name)
def test_no_program_gains(court: Court, attack: Attack) -> None:
    stand_trial(court, attack)


def test_a_program_finds_nothing_of_the_one_before_it(court: Court) -> None:
    stand_trial(court, LEFT)
    stand_trial(court, LEFT)


def test_an_honest_program_is_worth_the_same_after_all_that(court: Court) -> None:
    assert court.programs.judged(court.programs.honest) == f"scored {HONEST}"
