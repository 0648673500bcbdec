"""One run as one HTML file: the same page with its script, its data and its images inside.

It asks nobody for anything: its policy allows no request, and of scripts and styles only those
whose hash it names.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from mlgym.errors import ConfigError
from mlgym.view.answers import Answers
from mlgym.view.security import to_json

_IMPORT = re.compile(r"^import .*?;[ \t]*$\n?", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class)\b)", re.MULTILINE)
_LINKS = re.compile(
    r'<link rel="(?:stylesheet|modulepreload)"[^>]*>\n?|<script\b[^>]*></script>\n?'
)
_CHARSET, _BODY_END = '<meta charset="utf-8">\n', "</body>"
_UNSAFE = "<>&"


def to_page(answers: Answers, wanted: str, files: Mapping[str, bytes]) -> str:
    """The page of a run; `files` are those of the live page. Raises ConfigError: no such run."""
    script = joined_modules(files)
    style = files["style.css"].decode()
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}';"
        " img-src data:; base-uri 'none'; form-action 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    )
    page = _LINKS.sub("", files["index.html"].decode())
    head, charset, rest = page.partition(_CHARSET)
    body, body_end, end = rest.rpartition(_BODY_END)
    return (
        f'{head}{charset}<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<style>{style}</style>\n{body}"
        f'<script type="application/json" id="mlgym-data">{_data(answers, wanted)}</script>\n'
        f'<script type="module">{script}</script>\n{body_end}{end}'
    )


def joined_modules(files: Mapping[str, bytes]) -> str:
    """The page's modules as one script, in the order of `modules.txt`."""
    names = files["modules.txt"].decode().split()
    texts = (files[name].decode() for name in names)
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", text)) for text in texts)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data(answers: Answers, wanted: str) -> str:
    overview = answers.overview(wanted)
    run = json.loads(overview)
    steps = answers.steps(wanted, 0, len(run["steps"]))
    images: dict[str, str] = {}
    for name in run["images"]:
        with contextlib.suppress(ConfigError):
            data, kind = answers.image(wanted, name)
            images[name] = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rest = to_json({"steps": steps, "images": images, "exported_at": now})
    text = f'{{"run": {overview}, {rest[1:]}'
    # A browser would take `</script>` for the end of the data, wherever it stands.
    for mark in _UNSAFE:
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def file_name(run_id: str) -> str:
    """A name for the download that no shell and no file system stumbles over."""
    return (re.sub(r"[^A-Za-z0-9._-]+", "-", run_id).lstrip(".-")[:150] or "run") + ".html"
