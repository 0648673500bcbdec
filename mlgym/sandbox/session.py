"""The host's end of a guest: requests out, answers in, channels in between.

One session speaks with one guest over one `Transport`, from one thread at a time. What comes back
is untrusted: it is bounded, checked for its form, and can end in nothing worse than `SandboxError`.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Iterator, Sequence

from mlgym.errors import SandboxError
from mlgym.sandbox.base import SandboxSpec
from mlgym.sandbox.channel import GuestChannel
from mlgym.sandbox.guest.files import ARCHIVE_ROOM
from mlgym.sandbox.guest.frames import FrameParser, Header, pack
from mlgym.sandbox.inside import STARTER_INSIDE, WRITABLE, agent_environment
from mlgym.sandbox.launching import AgentUser, HandOver, Transport
from mlgym.sandbox.waiting import Readiness
from mlgym.types import ExecResult

MAX_BODY = 64 << 20
_PIECE = 1 << 16
GRACE_S = 15.0
"""How much longer than its own limit a guest may take to answer before it counts as lost."""


class GuestSession:
    """Requests to one guest. Every method raises `SandboxError` where the guest is lost."""

    def __init__(
        self,
        transport: Transport,
        spec: SandboxSpec,
        user: AgentUser,
        hand_over: HandOver | None = None,
    ) -> None:
        self._transport = transport
        self._hand_over = hand_over
        self._direct = hand_over.shell if hand_over else None
        self._used = False
        self._spec = spec
        self._user = user
        self._input = Readiness(transport.fileno())
        self._parser = FrameParser(MAX_BODY)
        self._replies: list[tuple[Header, bytes]] = []
        self._channels: dict[int, GuestChannel] = {}
        self._next_channel = 1
        self._number = 0
        self.lost: str | None = None

    def setup(self) -> None:
        """Tell the guest who the agent is and what to lay; it answers once the shell is up."""
        keep: dict[str, list[str]] = {}
        for _, inside in self._spec.mounts:
            for folder in WRITABLE:
                if inside.startswith(folder + "/"):
                    keep.setdefault(folder, []).append(inside[len(folder) + 1 :].split("/")[0])
        user = self._user
        limits = self._spec.limits
        header: Header = {
            "op": "setup",
            "who": {
                "uid": user.uid,
                "gid": user.gid,
                "environment": agent_environment(limits.cpus),
                "rlimits": dict(user.rlimits),
            },
            "source": STARTER_INSIDE,
            "wipe": WRITABLE,
            "keep": keep,
            "output_bytes": limits.output_bytes,
            "flood_bytes": limits.flood_bytes,
            "filter": user.system_call_filter,
        }
        if self._hand_over is not None:
            header["hand_over"] = self._hand_over.guest_fd
            header["text_fd"] = self._hand_over.text_fd
        self._renewed(self._request(header, b"", 30.0)[0])
        # A host that is out of something lets a shell start and end at once, again and again.
        if self.run("true", GRACE_S).exit_code != 0:
            raise self._fail("no shell stays alive inside")
        self._used = False

    def run(self, command: str, timeout: float, keep: int | None = None) -> ExecResult:
        """See `Sandbox.run`. `keep` is how many bytes of output are kept, where not the limit."""
        keep = keep or self._spec.limits.output_bytes
        body = command.encode("utf-8", "surrogatepass")
        self._used = True
        header: Header = {"op": "run", "timeout": timeout, "keep": keep}
        direct = self._direct
        if direct is not None and self.lost is None:
            if direct.underway:
                header["fresh"] = True
            elif direct.ready:
                try:
                    done = direct.run(body, timeout, keep, self._spec.limits.flood_bytes)
                except OSError as error:
                    raise self._fail(str(error)) from error
                if isinstance(done, ExecResult):
                    return done
                if done is not None:
                    header, body = {"op": "take_over", **done.header}, done.kept
        reply, body = self._request(header, body, timeout + GRACE_S)
        try:
            result = _result(reply, body)
        except (KeyError, TypeError, ValueError) as error:
            raise self._fail(f"its answer makes no sense ({error!r})") from error
        self._renewed(reply)
        return result

    def _renewed(self, reply: Header) -> None:
        """The guest has answered for the shell: take in its pipes, if they are others now."""
        if self._direct is None:
            return
        try:
            self._direct.update(int(reply["handed"]), bool(reply.get("frozen")))
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise self._fail(f"it did not hand over the shell ({error!r})") from error

    def open(self, argv: Sequence[str]) -> GuestChannel:
        return self._open({"op": "open", "argv": list(argv)})

    def _open(self, header: Header) -> GuestChannel:
        number = self._next_channel
        self._next_channel += 1
        channel = GuestChannel(self, number)
        self._channels[number] = channel
        self._request({**header, "channel": number}, b"", GRACE_S)
        return channel

    def read(self, path: str, max_bytes: int) -> bytes:
        return b"".join(self._stream({"op": "read", "path": path, "max": max_bytes}, max_bytes))

    def write(self, path: str, data: bytes) -> None:
        self._request({"op": "write", "path": path}, data, 4 * GRACE_S)

    def export(self, paths: Sequence[str], max_bytes: int) -> Iterator[bytes]:
        # A tar adds a header and padding to each file; a guest that sends much more is lying.
        bound = 2 * max_bytes + 2 * ARCHIVE_ROOM
        for path in paths:
            if "\0" in path:  # it would be two names on the way
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        names = b"\0".join(os.fsencode(path) for path in paths)
        yield from self._stream({"op": "export", "max": max_bytes}, bound, names)

    def reset(self, *, bare: bool = False) -> None:
        """In place; `bare` lays no starter files."""
        self._channels.clear()
        self._used = False
        self._renewed(self._request({"op": "reset", "bare": bare}, b"", 4 * GRACE_S)[0])

    def save(self) -> Iterator[bytes]:
        """All that the agent can have written, as tar."""
        channel = self._open({"op": "save"})
        while piece := channel.recv(4 * GRACE_S):
            yield piece
        self._expect_success(channel, "saving its files")

    def load(self, pieces: Iterable[bytes]) -> None:
        """Lay what `save` gave, instead of the starter files, beside a new shell."""
        self.reset(bare=True)
        channel = self._open({"op": "load"})
        try:
            for piece in pieces:
                channel.send(piece)
                channel.wait_fed(4 * GRACE_S)
        except TimeoutError as error:
            raise self._fail(str(error)) from error
        channel.close_stdin()
        self._expect_success(channel, "laying saved files")

    def _expect_success(self, channel: GuestChannel, what: str) -> None:
        status = channel.status(4 * GRACE_S)
        if status != 0:
            words = f"status {status}: {channel.stderr.strip()}"
            raise self._fail(f"{what} failed inside ({words})")

    @property
    def has_news(self) -> bool:
        """Whether the guest has said what nobody read: between two requests that is its end."""
        return bool(self._input.now())

    def close(self) -> None:
        self.lost = self.lost or "it was closed"
        self._let_go()

    def _let_go(self) -> None:
        if self._direct is not None:
            self._direct.close()
        self._transport.close()

    # Frames ----------------------------------------------------------------------------------

    def send(self, header: Header, body: bytes = b"") -> None:
        """Send one frame without waiting for an answer."""
        if self.lost is not None:
            raise SandboxError(f"the sandbox is lost: {self.lost}")
        try:
            self._transport.send(pack(header, body))
        except OSError as error:
            raise self._fail(str(error)) from error

    def pump(self, deadline: float) -> bool:
        """Take in what the guest says; False where it said nothing until `deadline`.

        `deadline` is on the monotonic clock, in seconds.
        """
        if self.lost is not None:
            raise SandboxError(f"the sandbox is lost: {self.lost}")
        if not self._input.wait(max(0.0, deadline - time.monotonic())):
            return False
        try:
            data = self._transport.recv(_PIECE)
        except OSError as error:
            raise self._fail(str(error)) from error
        if not data:
            raise self._fail("it ended")
        self._parser.feed(data)
        try:
            for header, body in self._parser.frames():
                self._take(header, body)
        except (ValueError, KeyError, TypeError) as error:
            raise self._fail(f"it sent what is no frame ({error})") from error
        return True

    def _take(self, header: Header, body: bytes) -> None:
        if "channel" not in header:
            if header.get("id") == self._number:
                self._replies.append((header, body))
            return
        channel = self._channels.get(header["channel"])
        if channel is not None:
            channel.take(header, body)

    def _request(self, header: Header, body: bytes, timeout: float) -> tuple[Header, bytes]:
        # An answer to an earlier request may still come, if waiting for it was interrupted.
        self._number += 1
        self._replies.clear()
        self.send({**header, "id": self._number, "used": self._used}, body)
        return self._reply(header, time.monotonic() + timeout)

    def _reply(self, header: Header, deadline: float) -> tuple[Header, bytes]:
        while not self._replies:
            if not self.pump(deadline):
                raise self._fail(f"no answer to {header['op']!r} in time")
        reply, body = self._replies.pop(0)
        if reply.get("ok") is False:
            path = reply.get("path") or header.get("path")
            number, words = int(reply.get("errno", 5)), str(reply.get("message"))
            if header["op"] in ("setup", "reset", "run"):
                raise self._fail(f"{header['op']} failed inside: {words} ({path})")
            # OSError makes the fitting subclass out of the number (FileNotFoundError, ...).
            raise OSError(number, words, path)
        return reply, body

    def _stream(self, header: Header, bound: int, about: bytes = b"") -> Iterator[bytes]:
        reply, body = self._request(header, about, 4 * GRACE_S)
        while reply.get("more"):
            bound -= len(body)
            if bound < 0:
                raise self._fail("it sent more than was asked for")
            yield body
            reply, body = self._reply(header, time.monotonic() + GRACE_S)

    def _fail(self, reason: str) -> SandboxError:
        if self.lost is None:
            detail = self._transport.describe_failure()
            self.lost = f"{reason}; {detail}" if detail else reason
            self._let_go()
        return SandboxError(f"the sandbox is lost: {self.lost}")


def _result(reply: Header, body: bytes) -> ExecResult:
    notes = "".join(f"[{note}]\n" for note in reply["notes"])
    output = body.decode("utf-8", "replace")
    if notes and output and not output.endswith("\n"):
        output += "\n"
    return ExecResult(
        output + notes,
        int(reply["exit"]),
        bool(reply["timed_out"]),
        bool(reply["truncated"]),
        bool(reply["restarted"]),
        float(reply["seconds"]),
    )
