"""All there is of room taken: memory and disk, by everything that takes some.

Each ends in an answer and a usable shell, harms no neighbour, and voids no episode.
"""

from __future__ import annotations

import pytest
from attacks.attack import Attack, greedy
from attacks.hall import Hall, withstand

MB = 1 << 20


MEMORY = tuple(
    greedy(
        f"memory: {name}",
        script=f"""
        import mmap
        try:
            {take}
        except (MemoryError, OSError, ValueError):
            print("no more")
            sys.exit()
        tell("900 MB where 614 are the limit", True, "")
        """,
    )
    for name, take in (
        ("one's own", f"x = bytearray({900 * MB})"),
        (
            "shared between processes",
            f"x = mmap.mmap(-1, {900 * MB}); [x.write(bytes(1 << 20)) for n in range(900)]",
        ),
        (
            "a file that has no name",
            "fd = os.memfd_create('x'); [os.write(fd, bytes(1 << 20)) for n in range(900)]",
        ),
        (
            "of a segment that outlives its maker",
            "LIBC.shmat.restype = ctypes.c_void_p; i = LIBC.shmget(99, 900 << 20, 0o1600);"
            " a = LIBC.shmat(i, None, 0) if i >= 0 else -1;"
            " a in (-1, 2 ** 64 - 1) and sys.exit('no more'); ctypes.memset(a, 1, 900 << 20)",
        ),
        (
            "of many processes",
            "ends = [os.fork() for n in range(3)] if (o := os.getpid()) else 0;"
            " x = bytearray(b'x') * (150 << 20); time.sleep(1);"
            " os._exit(0) if os.getpid() != o else sys.exit(print('no more'))",
        ),
    )
)
DISK = (
    greedy(
        "a disk: one file",
        "yes | head -c 1G > big",
        "echo x > more; ls",
        says="No space left.*No space left",
    ),
    greedy(
        "a disk: every folder",
        "for f in /tmp ~ /dev/shm /workspace; do yes | head -c 1G > $f/big; done",
        "create more.txt\n<<E\nx\nE",
        says="No space left.*create: .*No space left",
    ),
    greedy(
        "a disk: names without content",
        "mkdir many; cd many; seq 10000 | xargs touch; ls | wc -l",
        says="10000",
    ),
    greedy(
        "a disk: names of one file",
        script="""
        open("/workspace/one", "w").close()
        for number in range(5000):
            os.link("/workspace/one", f"/workspace/l{number}")
        """,
    ),
    greedy(
        "a disk: folders in folders",
        script="""
        for start in ("/workspace", "/tmp", "/home/agent", "/dev/shm"):
            os.chdir(start)
            for number in range(2000):
                os.mkdir("d" * 200)
                os.chdir("d" * 200)
        os.chmod(".", 0)
        """,
    ),
)
ROWS = (*MEMORY, *DISK)


@pytest.mark.parametrize("attack", ROWS, ids=lambda attack: attack.name)
def test_room_is_limited_and_had_again(hall: Hall, attack: Attack) -> None:
    withstand(hall, attack)
