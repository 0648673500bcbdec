"""The system-call filter of a bubblewrap sandbox, assembled as classic BPF.

It denies what an agent's work never needs and an escape does: new namespaces and mounts, tracing,
kernel keyrings, BPF, modules, io_uring, sockets that pass by the network namespace. The layout of
`struct seccomp_data` and the return values are those of Linux's `seccomp(2)`; the system-call
numbers those of the kernel's tables for the two machines named here.
"""

from __future__ import annotations

import errno
import platform
import struct

from mlgym.errors import SandboxError

# (x86_64, aarch64)
_DENIED = {
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "kexec_load": (246, 104),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "reboot": (169, 142),
    "quotactl": (179, 60),
    "acct": (163, 89),
    "syslog": (103, 116),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "mq_open": (240, 180),
    "sched_setaffinity": (203, 122),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
}
# Answered with "no such call": programs then fall back to something older that can be filtered.
_ABSENT = {
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
# Memory that neither a resource limit nor the size of a tmpfs counts: refused where no control
# group does (`strict`).
_UNCOUNTED = {"memfd_create": (319, 279), "memfd_secret": (447, 447)}
_MMAP, _SHARED_ANONYMOUS = (9, 222), 0x01 | 0x20
# Which argument is a process: the guest is the agent's own user on bubblewrap without root.
_OF_PID_1 = {
    "prlimit64": (0, (302, 261)),
    "sched_setscheduler": (0, (144, 119)),
    "sched_setparam": (0, (142, 118)),
    "sched_setattr": (0, (314, 274)),
    "setpriority": (1, (141, 140)),
    "ioprio_set": (1, (251, 30)),
}
# Which processes of a user, all at once: the guest may be one of them.
_OF_A_USER = {"setpriority": (2, (141, 140)), "ioprio_set": (3, (251, 30))}
_CLONE = (56, 220)
_IOCTL = (16, 29)
_SOCKET = (41, 198)
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_NEW_NAMESPACES = 0x7E020000 | 0x00000080
"""CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET,TIME}."""
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_AF_ALG, _AF_VSOCK = 38, 40

_LOAD, _EQUAL, _ABOVE, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_OFFSET_CALL, _OFFSET_MACHINE, _OFFSET_ARGS = 0, 4, 16
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _give(number: int) -> bytes:
    return _op(_RETURN, _ERRNO | number)


def _argument(call: int, index: int, test: int, values: tuple[int, ...], number: int) -> bytes:
    """Where `call` is made with an argument that matches one of `values`, fail with `number`."""
    checks = b"".join(_op(test, value, 0, 1) + _give(number) for value in values)
    body = _op(_LOAD, _OFFSET_ARGS + 8 * index) + checks + _op(_LOAD, _OFFSET_CALL)
    return _op(_EQUAL, call, 0, len(body) // 8) + body


def _shared_anonymous(call: int) -> bytes:
    """Where `call` maps memory that is shared and of no file, fail with EPERM."""
    body = b"".join(
        [
            _op(_LOAD, _OFFSET_ARGS + 8 * 3),
            _op(_AND, _SHARED_ANONYMOUS),
            _op(_EQUAL, _SHARED_ANONYMOUS, 0, 1),
            _give(errno.EPERM),
            _op(_LOAD, _OFFSET_CALL),
        ]
    )
    return _op(_EQUAL, call, 0, len(body) // 8) + body


def program(machine: str | None = None, *, strict: bool = False) -> bytes:
    """The filter for `machine` (default: this one), as bubblewrap's `--seccomp` reads it.

    `strict` also refuses memory that only a control group could limit.

    Raises SandboxError for a machine whose system calls are not known here.
    """
    machine = machine or platform.machine()
    if machine not in _MACHINES:
        known = ", ".join(_MACHINES)
        raise SandboxError(f"no system-call filter for {machine!r} (known: {known})")
    column, audit = _MACHINES[machine]
    parts = [
        _op(_LOAD, _OFFSET_MACHINE),
        _op(_EQUAL, audit, 1, 0),
        _give(errno.ENOSYS),
        _op(_LOAD, _OFFSET_CALL),
    ]
    if machine == "x86_64":
        # The x32 calls are the same calls under other numbers.
        parts += [_op(_ABOVE, 0x40000000, 0, 1), _give(errno.ENOSYS)]
    tables = [(_DENIED, errno.EPERM), (_ABSENT, errno.ENOSYS)]
    if strict:
        tables.append((_UNCOUNTED, errno.ENOSYS))
        parts.append(_shared_anonymous(_MMAP[column]))
    for table, number in tables:
        for numbers in table.values():
            parts += [_op(_EQUAL, numbers[column], 0, 1), _give(number)]
    parts += [
        _argument(_CLONE[column], 0, _ANY_BIT, (_NEW_NAMESPACES & ~0x80,), errno.EPERM),
        _argument(_IOCTL[column], 1, _EQUAL, (_TIOCSTI, _TIOCLINUX), errno.EPERM),
        _argument(_SOCKET[column], 0, _EQUAL, (_AF_ALG, _AF_VSOCK), errno.EAFNOSUPPORT),
        *(
            _argument(numbers[column], index, _EQUAL, (1,), errno.EPERM)
            for index, numbers in _OF_PID_1.values()
        ),
        *(
            _argument(numbers[column], 0, _EQUAL, (which,), errno.EPERM)
            for which, numbers in _OF_A_USER.values()
        ),
        _op(_RETURN, _ALLOW),
    ]
    return b"".join(parts)
