"""What the guest gives up before the agent's first process: system calls, an open memory.

Docker offers no way to add a filter to its own, so the guest puts it on itself, and all that it
starts inherits it. Bubblewrap has done so before.
"""

from __future__ import annotations

import binascii

_SET_DUMPABLE, _SET_SECCOMP, _SET_NO_NEW_PRIVS, _FILTER = 4, 22, 38, 2
_INSTRUCTION = 8


def confine(program: str, *, same_user: bool) -> None:
    """Put on the filter `program` (BPF in base64, "" for none).

    `same_user`: the agent is the user that the guest is, so that this memory must be closed to it.

    Raises OSError where the kernel refuses.
    """
    if not program and not same_user:
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def prctl(what: int, *values: object) -> None:
        if libc.prctl(what, *values):
            raise OSError(ctypes.get_errno(), "prctl")

    if same_user:
        prctl(_SET_DUMPABLE, 0, 0, 0, 0)
    if not program:
        return

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    code = binascii.a2b_base64(program)
    buffer = ctypes.create_string_buffer(code, len(code))
    filled = Program(len(code) // _INSTRUCTION, ctypes.addressof(buffer))
    prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    prctl(_SET_SECCOMP, _FILTER, ctypes.byref(filled))
