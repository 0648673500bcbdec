"""Plain text out of a dump of Wikipedia: articles without their markup, tables and references."""

import bz2
import html
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import IO

DROPPED = "ref|math|gallery|timeline|source|pre|imagemap|syntaxhighlight|score|chem|blockquote"
ASIDE = "See also|References|Notes|Footnotes|Further reading|External links|Bibliography|Sources"
NO_TEXT = re.compile(r"\s*:?(file|image|category|wikt|[a-z]{2,3}|[a-z]+-[a-z]+)\s*:", re.IGNORECASE)


def articles(dump: IO[bytes]) -> Iterator[str]:
    """The text of each article of a packed dump, in its order; redirections are none."""
    with bz2.open(dump) as xml:
        for _, element in ET.iterparse(xml):
            name = element.tag.rpartition("}")[2]
            if name == "text" and not re.match(r"\s*#redirect", element.text or "", re.IGNORECASE):
                yield plain(element.text or "")
            if name == "page":
                element.clear()


def plain(text: str) -> str:
    text = html.unescape(text).replace("\u00a0", " ")
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(rf"<({DROPPED})\b[^<>]*/>", "", text, flags=re.IGNORECASE)
    text = re.sub(rf"<({DROPPED})\b[^<>]*>.*?</\1\s*>", "", text, flags=re.DOTALL | re.IGNORECASE)
    text = repeated(r"\{\{[^{}]*\}\}|\{\|[^{}]*?\|\}|\{[^{}]*\}", lambda _: "", text)
    text = repeated(r"\[\[([^\[\]]*)\]\]", linked, text)
    text = re.sub(r"\[(?:https?:|ftp:|//)\S*\s*([^\]]*)\]", r"\1", text)
    text = re.sub(r"<[^<>]*>", "", text)
    text = re.sub(r"'{2,}", "", text)
    text = re.split(rf"^==+ *(?:{ASIDE}) *==+", text, maxsplit=1, flags=re.MULTILINE)[0]
    lines = (line.strip(" \t*#:;=") for line in text.splitlines())
    return "\n".join(line for line in lines if line and line[0] not in "|!{}[]")


def repeated(pattern: str, by, text: str) -> str:
    """Replace from the inside out: templates and links hold others."""
    while True:
        after = re.sub(pattern, by, text)
        if after == text:
            return text
        text = after


def linked(found: re.Match[str]) -> str:
    """What a reader sees of a link."""
    inside = found[1]
    return "" if NO_TEXT.match(inside) else inside.rpartition("|")[2]
