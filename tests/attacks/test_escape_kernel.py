"""Out of the sandbox through the kernel: namespaces, mounts, tracing, keys, devices, sockets."""

from __future__ import annotations

import pytest
from attacks.attack import Attack, denied
from attacks.hall import Hall, withstand

ROWS = (
    denied(
        "a user namespace by unshare",
        "call('unshare', 272, 97, 0x10000000)",
    ),
    denied(
        "every other namespace by unshare",
        """
        for flag in (0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000):
            call(f"unshare {flag:#x}", 272, 97, flag)
        """,
    ),
    denied(
        "a user namespace by clone",
        """
        found = LIBC.syscall(ctypes.c_long(56 if X86 else 220),
                             ctypes.c_long(0x10000000 | signal.SIGCHLD), 0, 0, 0, 0)
        if found == 0:
            os._exit(0)
        tell("clone", found > 0, found if found > 0 else ctypes.get_errno())
        """,
    ),
    denied(
        "a user namespace by clone3",
        """
        arguments = struct.pack("=11Q", 0x10000000, 0, 0, 0, signal.SIGCHLD, *[0] * 6)
        found = LIBC.syscall(ctypes.c_long(435), arguments, ctypes.c_long(88))
        if found == 0:
            os._exit(0)
        tell("clone3", found > 0, found if found > 0 else ctypes.get_errno())
        """,
    ),
    denied(
        "the namespaces of PID 1",
        """
        for kind in ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts"):
            try:
                fd = os.open(f"/proc/1/ns/{kind}", os.O_RDONLY)
            except OSError as error:
                tell(kind, False, error.errno)
                continue
            call(f"setns {kind}", 308, 268, fd, 0)
        """,
    ),
    denied(
        "mounts, roots and chroot",
        """
        os.mkdir("/tmp/m")
        call("mount tmpfs", 165, 40, b"x", b"/tmp/m", b"tmpfs", 0, None)
        call("mount proc", 165, 40, b"x", b"/tmp/m", b"proc", 0, None)
        call("bind the root", 165, 40, b"/", b"/tmp/m", None, 4096 | 16384, None)
        call("remount /usr", 165, 40, None, b"/usr/bin", None, 32 | 4096, None)
        call("umount the data", 166, 39, b"/workspace/data", 2)
        call("pivot_root", 155, 41, b"/tmp", b"/tmp/m")
        call("chroot", 161, 51, b"/tmp")
        """,
    ),
    denied(
        "mounts by the newer calls",
        """
        call("open_tree", 428, 428, -100, b"/", 1 | 0x8000)
        call("fsopen", 430, 430, b"tmpfs", 0)
        call("fspick", 433, 433, -100, b"/workspace", 0)
        call("move_mount", 429, 429, -100, b"/tmp", -100, b"/home/agent", 0)
        call("mount_setattr", 442, 442, -100, b"/workspace/data", 0, bytes(32), 32)
        """,
    ),
    denied(
        "calls under the numbers of another machine",
        """
        # ptrace(TRACEME), unshare(NEWUSER), keyctl(JOIN): by int 0x80, then as x32 calls.
        import mmap
        def by_int80(number, first):
            code = b"\\x53\\xb8" + struct.pack("=I", number) + b"\\xbb" + struct.pack("=I", first)
            code += b"\\x31\\xc9\\x31\\xd2\\x31\\xf6\\xcd\\x80\\x5b\\xc3"
            private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
            rights = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
            page = mmap.mmap(-1, 4096, private, rights)
            page.write(code)
            address = ctypes.addressof(ctypes.c_char.from_buffer(page))
            return ctypes.CFUNCTYPE(ctypes.c_int)(address)()
        for number, first in ((26, 0), (310, 0x10000000), (288, 1)) if X86 else ():
            pid = os.fork()
            if pid == 0:
                os._exit(by_int80(number, first) >= 0)
            # A kernel without 32-bit calls ends the process.
            tell(f"32-bit call {number}", os.waitpid(pid, 0)[1] == 256, errno.ENOSYS)
        for number, first in ((521, 0), (272, 0x10000000), (250, 1)):
            call(f"x32 call {number}", 0x40000000 | number, 0x40000000 | number, first)
        """,
    ),
    denied(
        "PID 1 traced",
        """
        call("seize", 101, 117, 0x4206, 1, 0, 0)
        call("attach", 101, 117, 16, 1, 0, 0)
        """,
    ),
    denied(
        "another process traced",
        """
        victim = idle_child()
        call("seize", 101, 117, 0x4206, victim, 0, 0)
        call("attach", 101, 117, 16, victim, 0, 0)
        os.kill(victim, 9)
        """,
    ),
    denied(
        "another process's memory by process_vm_readv and process_vm_writev",
        """
        text = ctypes.create_string_buffer(b"before")
        victim = idle_child()
        place = struct.pack("=QQ", ctypes.addressof(text), 6)
        own = ctypes.create_string_buffer(6)
        here = struct.pack("=QQ", ctypes.addressof(own), 6)
        for pid in (1, os.getppid(), victim):
            call(f"read {pid}", 310, 270, pid, here, 1, place, 1, 0)
            call(f"write {pid}", 311, 271, pid, here, 1, place, 1, 0)
        os.kill(victim, 9)
        """,
    ),
    denied(
        "another process's descriptors by pidfd_getfd",
        """
        for pid in (1, os.getppid()):
            fd = os.pidfd_open(pid)
            for number in range(20):
                call(f"descriptor {number} of {pid}", 438, 438, fd, number, 0)
        call("kcmp", 312, 272, 1, os.getpid(), 0, 0, 0)
        """,
    ),
    denied(
        "the kernel's keyrings",
        """
        call("add_key", 248, 217, b"user", b"mlgym", b"secret", 6, -4)
        call("add_key of the session", 248, 217, b"user", b"mlgym", b"secret", 6, -3)
        call("request_key", 249, 218, b"user", b"mlgym", None, -4)
        call("join a session", 250, 219, 1, None)
        call("describe", 250, 219, 6, -4, 0, 0)
        """,
    ),
    denied(
        "programs and counters in the kernel",
        """
        call("bpf map", 321, 280, 0, struct.pack("=IIII", 1, 4, 4, 1) + bytes(100), 72)
        call("bpf program", 321, 280, 5, bytes(120), 120)
        call("perf_event_open", 298, 241, struct.pack("=II", 1, 112) + bytes(104), 0, -1, -1, 0)
        """,
    ),
    denied("io_uring", "call('io_uring_setup', 425, 425, 4, ctypes.create_string_buffer(120))"),
    denied("page faults in user space", "call('userfaultfd', 323, 282, 1)"),
    denied(
        "files by handle",
        """
        handle = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0) + bytes(128))
        mount = ctypes.c_int()
        call("to handle", 303, 264, -100, b"/", handle, ctypes.byref(mount), 0)
        root = os.open("/", os.O_RDONLY)
        inode = struct.pack("=IiQ", 8, 1, 2)
        call("by handle", 304, 265, root, ctypes.create_string_buffer(inode), 0)
        """,
    ),
    denied(
        "the administration of the machine",
        """
        call("syslog", 103, 116, 3, ctypes.create_string_buffer(100), 100)
        call("kexec_load", 246, 104, 0, 0, None, 0)
        call("init_module", 175, 105, b"", 0, b"")
        call("finit_module", 313, 273, 0, b"", 0)
        call("delete_module", 176, 106, b"ext4", 0)
        call("swapon", 167, 224, b"/workspace/submission.csv", 0)
        call("acct", 163, 89, b"/workspace/submission.csv")
        call("reboot", 169, 142, 0xFEE1DEAD, 672274793, 0x89ABCDEF)
        call("settimeofday", 164, 170, struct.pack("=qq", 1, 0), None)
        call("sethostname", 170, 161, b"other", 5)
        """,
    ),
    denied(
        "raw and packet sockets",
        """
        attempt("raw", socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)
        attempt("raw 6", socket.socket, socket.AF_INET6, socket.SOCK_RAW, 58)
        attempt("packet", socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 3)
        attempt("packet datagrams", socket.socket, socket.AF_PACKET, socket.SOCK_DGRAM, 3)
        """,
    ),
    denied(
        "sockets to the machine's host and to the kernel's ciphers",
        """
        attempt("vsock", socket.socket, 40, socket.SOCK_STREAM)
        attempt("vsock datagrams", socket.socket, 40, socket.SOCK_DGRAM)
        attempt("alg", socket.socket, 38, socket.SOCK_SEQPACKET)
        """,
    ),
    denied(
        "sockets of families that no one needs",
        """
        for number in range(3, 46):
            if number not in (socket.AF_INET6, socket.AF_NETLINK):
                for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
                    attempt(f"family {number}", socket.socket, number, kind)
        """,
    ),
    denied(
        "keys typed into a terminal",
        """
        import fcntl, termios
        ours, theirs = os.openpty()
        if os.fork() == 0:
            os.setsid()
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
            attempt("TIOCSTI", fcntl.ioctl, theirs, termios.TIOCSTI, b"x")
            attempt("TIOCLINUX", fcntl.ioctl, theirs, 0x541C, b"\\x02")
            os._exit(0)
        os.wait()
        """,
    ),
    denied(
        "device nodes, made and found",
        """
        import stat
        for major, minor, kind in ((8, 0, stat.S_IFBLK), (1, 1, stat.S_IFCHR), (1, 2, stat.S_IFCHR),
                                   (10, 229, stat.S_IFCHR), (254, 0, stat.S_IFBLK)):
            attempt(f"node {major}:{minor}", os.mknod, f"/tmp/{major}-{minor}", kind | 0o666,
                    os.makedev(major, minor))
        for name in ("mem", "kmem", "port", "kmsg", "core", "sda", "vda", "nvme0", "fuse", "kvm",
                     "net/tun", "loop0", "loop-control", "mapper/control", "uinput", "vsock"):
            attempt(name, os.open, f"/dev/{name}", os.O_RDONLY)
        """,
    ),
    denied(
        "the kernel's settings and memory in /proc",
        """
        for name in ("sys/kernel/core_pattern", "sys/kernel/hostname", "sys/vm/drop_caches",
                     "sysrq-trigger", "sys/kernel/modprobe", "sys/fs/binfmt_misc/register",
                     "sys/kernel/ns_last_pid", "irq/default_smp_affinity"):
            # Some may be opened by anyone, and written by nobody.
            attempt(name, lambda: os.write(os.open(f"/proc/{name}", os.O_WRONLY), b"1"))
        for name in ("kcore", "kmem", "kpagecount", "kmsg", "slabinfo", "vmallocinfo"):
            attempt(name, content, f"/proc/{name}", 100)
        """,
    ),
    denied(
        "the host's devices in /sys",
        """
        tell("an end", False, 0)
        for folder, folders, files in os.walk("/sys"):
            for name in files[:3]:
                attempt(os.path.join(folder, name), content, os.path.join(folder, name), 100)
            if folder.count("/") > 4:
                folders.clear()
        """,
    ),
)


@pytest.mark.parametrize("attack", ROWS, ids=lambda attack: attack.name)
def test_the_kernel_lets_nobody_out(hall: Hall, attack: Attack) -> None:
    withstand(hall, attack)
