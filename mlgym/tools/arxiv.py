"""arXiv as a literature service: its query API, which answers with Atom feeds and asks for no key.

API: https://info.arxiv.org/help/api/user-manual.html. Its terms of use allow one request in three
seconds over a single connection, for all of one's machines together. Here that holds for all
processes that share `$MLGYM_HOME`.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from xml.etree import ElementTree

from filelock import FileLock

from mlgym.catalog import home
from mlgym.sandbox.base import MB
from mlgym.tools.literature import LiteratureError, Paper, listed, one_clean_line

QUERY_URL = "https://export.arxiv.org/api/query"
_ATOM = "{http://www.w3.org/2005/Atom}"
_FIELD = re.compile(r"\b(?:ti|au|abs|co|jr|cat|rn|id|all):\S")
_TERM = re.compile(r'"[^"]+"|[^\s"]+')
_NO_FAULT = "That is no fault of yours and changes nothing else: try later, or go on without it."


@dataclass(frozen=True, slots=True)
class Arxiv:
    """See `mlgym.tools.literature.Literature`. Times are in seconds.

    A request ends after `answer_s`; a search with all its waits and tries after about `wait_s`.
    `pause_s` lies between two requests.
    """

    url: str = QUERY_URL
    pause_s: float = 3.0
    answer_s: float = 15.0
    wait_s: float = 60.0
    tries: int = 3
    most_bytes: int = 2 * MB

    def search(self, query: str, limit: int) -> str:
        terms = search_query(query)
        if not terms:
            raise LiteratureError("the query holds no word to look for.")
        asked = {"search_query": terms, "start": 0, "max_results": limit}
        url = f"{self.url}?{urllib.parse.urlencode(asked)}"
        try:
            return listed(papers(self._ask(url))[:limit])
        except _QueryError as error:
            raise LiteratureError(f"arXiv does not take that query: {error}") from None
        except LiteratureError as error:
            raise LiteratureError(f"arXiv {one_clean_line(str(error))}. {_NO_FAULT}") from None

    def _ask(self, url: str) -> bytes:
        """The reply, tried again where the service is busy or cannot be reached."""
        until = time.monotonic() + self.wait_s
        with self._turn() as pause:
            tried = 0
            while True:
                pause()
                tried += 1
                try:
                    return _fetch(url, self.answer_s, self.most_bytes)
                except _BusyError as busy:
                    wait = max(busy.after_s or 0.0, self.pause_s * 2 ** (tried - 1))
                    if tried >= self.tries or time.monotonic() + wait > until:
                        asks = f", asks for a wait of {busy.after_s:.0f} s" if busy.after_s else ""
                        raise LiteratureError(f"{busy}{asks} ({tried} tries)") from None
                    time.sleep(wait)

    @contextlib.contextmanager
    def _turn(self) -> Generator[_Pause]:
        """One search at a time; gives what waits for the pause since the last request to pass."""
        place = hashlib.sha256(self.url.encode()).hexdigest()[:12]
        folder = home() / "literature"
        stamp = folder / f"arxiv-{place}.last"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / f"arxiv-{place}.lock", timeout=self.wait_s)
            with lock:
                try:
                    yield _Pause(stamp, self.pause_s)
                finally:
                    _touch(stamp)
        except TimeoutError:
            raise LiteratureError("is being asked by too many others at once") from None
        except OSError as error:
            raise LiteratureError(f"cannot be asked from here ({error.strerror})") from None


@dataclass(frozen=True, slots=True)
class _Pause:
    """Waits until `pause_s` have passed since `stamp` was touched, and touches it."""

    stamp: Path
    pause_s: float

    def __call__(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            # Bounded from both sides: a clock may have been set back.
            since = max(0.0, time.time() - self.stamp.stat().st_mtime)
            time.sleep(max(0.0, self.pause_s - since))
        _touch(self.stamp)


def _touch(stamp: Path) -> None:
    """Give a file the present time: by itself the system takes that of its last tick."""
    stamp.touch()
    now = time.time_ns()
    os.utime(stamp, ns=(now, now))


class _QueryError(LiteratureError):
    """The service tells what is wrong with the query."""


class _BusyError(LiteratureError):
    """Trying again may help. `after_s` is what the service asks for."""

    def __init__(self, words: str, after_s: float | None = None) -> None:
        super().__init__(words)
        self.after_s = after_s


def search_query(query: str) -> str:
    """arXiv's query for an agent's words: all of them anywhere, unless it names fields itself."""
    if _FIELD.search(query):
        return query
    terms = (re.sub(r"[^\w\s.+-]", " ", term).strip() for term in _TERM.findall(query))
    quoted = (f'"{" ".join(term.split())}"' if " " in term else term for term in terms)
    return " AND ".join(f"all:{term}" for term in quoted if term)


# One request ---------------------------------------------------------------------------------


def _fetch(url: str, timeout_s: float, most_bytes: int) -> bytes:
    """The body at `url`; a reply that only drips in is late too. Raises LiteratureError."""
    answers: SimpleQueue[bytes | LiteratureError] = SimpleQueue()

    def work() -> None:
        try:
            answers.put(_body(url, timeout_s, most_bytes))
        except LiteratureError as error:
            answers.put(error)

    # Daemonic: a socket on which bytes drip cannot be ended from here, and must hold up no exit.
    Thread(target=work, daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_s)
    except Empty:
        raise _BusyError(f"gave no whole answer within {timeout_s:g} s") from None
    if isinstance(answer, LiteratureError):
        raise answer
    return answer


def _body(url: str, timeout_s: float, most_bytes: int) -> bytes:
    headers = {"User-Agent": f"mlgym/{version('mlgym')}", "Accept": "application/atom+xml"}
    request = urllib.request.Request(url, headers=headers)
    until = time.monotonic() + timeout_s
    body = b""
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as reply:
            while piece := reply.read1(1 << 16):
                body += piece
                if len(body) > most_bytes:
                    raise LiteratureError(f"sent more than {most_bytes / MB:g} MB")
                if time.monotonic() > until:
                    raise _BusyError(f"gave no whole answer within {timeout_s:g} s")
            if reply.length:
                raise _BusyError("broke off in the middle of its answer")
    except urllib.error.HTTPError as error:
        with error:
            told = error.read(most_bytes) if error.code == 400 else b""
            if b"/api/errors" in told:
                return told
            raise _refusal(error) from None
    except TimeoutError:
        raise _BusyError(f"gave no answer within {timeout_s:g} s") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise _BusyError(f"cannot be reached ({_why(reason)})") from None
    return body


def _refusal(error: urllib.error.HTTPError) -> LiteratureError:
    words = f"answered HTTP {error.code} ({error.reason})"
    if error.code == 429 or error.code >= 500:
        asked = error.headers.get("Retry-After") or ""
        return _BusyError(words, float(asked) if re.fullmatch(r"\d{1,6}", asked) else None)
    return LiteratureError(words)


def _why(reason: object) -> str:
    return getattr(reason, "strerror", None) or type(reason).__name__


# Its replies ---------------------------------------------------------------------------------


def papers(body: bytes) -> list[Paper]:
    """The entries of a feed. Raises LiteratureError where it is none, or tells of an error."""
    try:
        text = body.decode()
        # A feed needs no document type; what one can declare (entities) grows without bounds.
        if "<!DOCTYPE" in text:
            raise LiteratureError("sent a document with a DOCTYPE, which is not read")
        feed = ElementTree.fromstring(text)
    except (UnicodeDecodeError, ElementTree.ParseError, ValueError):
        raise LiteratureError("sent what is no Atom feed") from None
    if feed.tag != f"{_ATOM}feed":
        raise LiteratureError("sent what is no Atom feed")
    found = feed.findall(f"{_ATOM}entry")
    if len(found) == 1 and "/api/errors" in _text(found[0], "id"):
        raise _QueryError(one_clean_line(_text(found[0], "summary")))
    return [_paper(entry) for entry in found]


def _paper(entry: ElementTree.Element) -> Paper:
    names = (_text(author, "name") for author in entry.findall(f"{_ATOM}author"))
    return Paper(
        _text(entry, "title"),
        tuple(name for name in names if name),
        _text(entry, "published")[:4],
        "arXiv:" + _text(entry, "id").rpartition("/abs/")[2],
        _text(entry, "summary"),
    )


def _text(element: ElementTree.Element, name: str) -> str:
    return " ".join((element.findtext(f"{_ATOM}{name}") or "").split())
