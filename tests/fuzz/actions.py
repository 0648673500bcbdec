"""Actions that nobody would write, drawn by hypothesis: noise, broken tool calls, broken shell."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from mlgym.spaces import Unicode
from mlgym.tools.registry import TOOLS, render_call
from mlgym.types import ToolCall

NAMES = [tool.spec.name for tool in TOOLS]
ENDINGS = ("validate", "submit", "forfeit")
FILES = ["a.py", "b.txt", "answer.txt", "sub/c", "no such", "/etc/passwd", "/", ".", "..", "data"]

# Noise ----------------------------------------------------------------------------------------

noise = st.one_of(
    st.text(max_size=60),
    st.text(st.characters(categories=["Cc", "Cf", "Cs", "Co", "Zl", "Zp"]), max_size=20),
    st.binary(max_size=80).map(lambda data: data.decode("latin-1")),
    st.binary(max_size=80).map(lambda data: data.decode("utf-8", "surrogateescape")),
    st.sampled_from(["", " ", "\n", "\0", "\r\n", "\x1b[2J", "\ud800", "é" * 300, "\t;\t"]),
)
no_text: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.integers(), st.binary(max_size=9), st.lists(st.text(max_size=3), max_size=2)
)
too_long = st.sampled_from(["x" * ((1 << 20) + 1), "#" * (1 << 20), "echo " + "y" * 200_000])

# Calls of tools -------------------------------------------------------------------------------

_words = st.one_of(
    st.sampled_from(FILES),
    st.text(st.characters(exclude_characters="\n\0"), min_size=1, max_size=12),
)
_texts = st.one_of(
    st.sampled_from(["", "x = 1\n", "def f(:\n", "END", "end_of_edit", "a\nb\nc\n", "\tx\r\n"]),
    st.text(max_size=40),
)


def _argument(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if schema["type"] == "integer":
        return st.one_of(st.integers(1, 5), st.integers(0, 10**25))
    return _words if "pattern" in schema else _texts


def _call(name: str) -> st.SearchStrategy[str]:
    schema = next(tool.spec.parameters for tool in TOOLS if tool.spec.name == name)
    made = {key: _argument(rules) for key, rules in schema["properties"].items()}
    needed = {key: made.pop(key) for key in schema["required"]}
    drawn = st.fixed_dictionaries(needed, optional=made)
    return drawn.map(lambda arguments: render_call(ToolCall(name, arguments)))


# The endings by their own weight: an episode should last for a while.
calls = st.sampled_from([name for name in NAMES if name not in ENDINGS]).flatmap(_call)
endings = st.sampled_from([*ENDINGS, "validate", "validate", "validate"])
_pieces = st.sampled_from(
    [
        *(f"{name} " for name in NAMES),
        *("<<END\n", "END\n", "<<TAG no_newline\n", "TAG", "end_of_edit\n", "end_of_insert"),
        *("1:2\n", "0:0", "3:1\n", "1:", ":", "-1", "'", '"', "\\", "\n", "\n\n", " "),
        *("a.py", "<<", "\0", "9" * 5000),
    ]
)
mixtures = st.lists(st.one_of(_pieces, st.text(max_size=8)), min_size=1, max_size=8).map("".join)


@st.composite
def broken_calls(draw: st.DrawFn) -> str:
    """A call with a piece cut out, doubled, or something else put in."""
    text = draw(calls)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 12)))
    return (
        text[:start] + draw(st.one_of(_pieces, noise)) + text[draw(st.sampled_from([start, end])) :]
    )


# Shell ----------------------------------------------------------------------------------------

_FRAGMENTS = r"""
echo x ¦ echo 'x ¦ echo "x ¦ echo $( ¦ $(echo y) ¦ `echo z ¦ ` ¦ ((1+ ¦ )) ¦ [[ -f a ¦ ]] ¦ {
} ¦ ( ¦ ) ¦ if true ¦ then ¦ fi ¦ do ¦ done ¦ for i in 1 2 ¦ while false ¦ case x in ¦ esac
function f ¦ f() { f2; } ¦ f ¦ > a.py ¦ >> b.txt ¦ < a.py ¦ 2>&1 ¦ >&2 ¦ 1>&- ¦ 0<&- ¦ 3<> b.txt
<<EOF ¦ EOF ¦ <<< here ¦ <<'Q' ¦ &  ¦ &&  ¦ ||  ¦ ;; ¦ !  ¦ # ¦ ~ ¦ * ¦ ? ¦ a{b,c} ¦ $x ¦ ${x
${x:?no} ¦ $((1/0)) ¦ $! ¦ $$ ¦ set -e ¦ set -u ¦ set -x ¦ set +e ¦ set -o pipefail
shopt -s extglob ¦ trap 'echo t' EXIT ¦ trap '' INT ¦ trap - ERR ¦ exit ¦ exit 3 ¦ exec
exec true ¦ exec >/dev/null ¦ exec 2>&1 ¦ exec bash ¦ exec 250>&- ¦ return 4 ¦ break ¦ logout
false ¦ true ¦ : ¦ cd / ¦ cd sub ¦ cd ¦ cd - ¦ pwd ¦ unset PATH ¦ PATH=/none ¦ export x=1 ¦ x=1
readonly y=2 ¦ alias echo=false ¦ unalias -a ¦ echo() { :; } ¦ unset -f echo ¦ umask 777
ulimit -n 4 ¦ ulimit -f 0 ¦ wait ¦ jobs ¦ fg ¦ kill %1 ¦ kill $$ ¦ kill -9 $$ ¦ kill -STOP $!
sleep 0.01 & ¦ sleep 99 & ¦ (sleep 99 &) ¦ setsid sleep 99 & ¦ disown ¦ nohup true & ¦ read line
cat ¦ cat - ¦ python3 ¦ mkdir sub ¦ touch a.py ¦ rm -rf . ¦ rm -rf /workspace ¦ rm b.txt
mv a.py sub ¦ ln -s / l ¦ ln -s loop loop ¦ mkfifo p ¦ chmod 0 a.py ¦ chmod 777 .
printf 'a\0b' ¦ printf '\377\376' ¦ printf %s {1..300} ¦ echo 5 > answer.txt
echo junk > answer.txt ¦ ln -sf /etc/passwd answer.txt ¦ mkdir answer.txt ¦ rm answer.txt
head -c 99 /dev/urandom ¦ env ¦ history ¦ source a.py ¦ . /dev/null ¦ eval 'echo e' ¦ eval '('
command validate ¦ validate ¦ submit x ¦ edit 1:1 ¦ create ¦ tee b.txt ¦ xargs ¦ yes | head
seq 3000 ¦ type cd ¦ help ¦ let 1/0 ¦ time true
"""
fragments = st.sampled_from(
    [part for line in _FRAGMENTS.strip().split("\n") for part in line.split(" ¦ ")]
)
_between = st.sampled_from([" ", "; ", "\n", " | ", " && ", "", " & ", "\\\n"])


@st.composite
def shell(draw: st.DrawFn) -> str:
    """A few fragments, joined by what joins commands and by what does not."""
    parts = draw(st.lists(st.one_of(fragments, fragments, st.text(max_size=6)), max_size=6))
    return "".join(part + draw(_between) for part in parts)


HEAVY = [
    "sleep 99",
    "trap '' INT TERM; sleep 99",
    "while :; do :; done",
    "yes",
    "cat /dev/zero",
    ":(){ :|:& };:",
    "for i in $(seq 900); do sleep 99 & done",
    "kill -9 -1",
    "kill -STOP $$",
    "exec sleep 99",
    "head -c 200000000 /dev/zero > big; ls -l big",
    "head -c 100000 /dev/zero | tr '\\0' x",
    "python3 -c 'x = bytearray(1 << 40)'",
    "(trap '' INT; sleep 99 &); sleep 99 & wait",
]
"""What takes as long as it may, each of them bounded by the task's budget for a command."""

action: st.SearchStrategy[Any] = st.one_of(
    noise, noise, calls, calls, broken_calls(), mixtures, shell(), shell(), shell(), shell()
)


@st.composite
def any_action(draw: st.DrawFn) -> Any:
    """One of all of these, the costly ones rarely."""
    luck = draw(st.integers(0, 999))
    if luck < 12:
        return draw(endings)
    if luck < 14:
        return draw(st.sampled_from(HEAVY))
    if luck < 16:
        return draw(too_long)
    if luck < 30:
        return draw(no_text)
    if luck < 40:
        return Unicode(50, seed=luck).sample()
    return draw(action)
