"""The kit by itself: frames over plain pipes, values both ways, the shim as a bare process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgym.task import kit
from mlgym.task.grading import kit_folder

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and (one == other).all()
    return one == other


@given(st.lists(JSON))
def test_json_values_come_through_as_they_were(values: list[Any]) -> None:
    items, body = kit.pack_values(values)
    assert kit.unpack_values(json.loads(json.dumps(items)), body) == values


@pytest.mark.parametrize("dtype", kit.DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
def test_arrays_come_through_as_they_were(dtype: str, shape: tuple[int, ...]) -> None:
    array = (np.arange(np.prod(shape, dtype=int)) % 2).astype(dtype).reshape(shape)
    items, body = kit.pack_values([array, "between", array.T])
    found = kit.unpack_values(json.loads(json.dumps(items)), body)
    assert all(same(*pair) for pair in zip([array, "between", array.T], found, strict=True))
    assert found[0].flags.writeable


@pytest.mark.parametrize("dtype", kit.DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (3,), (2, 3, 4)])
def test_listed_arrays_come_through_as_their_lists(dtype: str, shape: tuple[int, ...]) -> None:
    array = (np.arange(np.prod(shape, dtype=int)) % 2).astype(dtype).reshape(shape)
    items, body = kit.pack_values([array.T, "between"], listed=True)
    found, between = kit.unpack_values(json.loads(json.dumps(items)), body)
    assert (repr(found), between) == (repr(array.T.tolist()), "between")


@given(st.lists(st.integers() | st.booleans()) | JSON)
def test_listed_integers_come_through_as_they_were(value: Any) -> None:
    items, body = kit.pack_values([value], listed=True)
    (found,) = kit.unpack_values(json.loads(json.dumps(items)), body)
    assert repr(found) == repr(value)


def test_a_list_has_room_for_fewer_numbers_than_an_array() -> None:
    many = np.zeros(kit.MAX_LISTED + 1, dtype=np.int8)
    items, body = kit.pack_values([many], listed=True)
    assert same(kit.unpack_values(items, body)[0], many)
    with pytest.raises(ValueError, match="a list of shape"):
        kit.unpack_values([{**items[0], "listed": True}], body)


@pytest.mark.parametrize("dtype", ["object", "U3", "complex128", "datetime64[s]", "i4,i4"])
def test_other_arrays_are_not_sent(dtype: str) -> None:
    with pytest.raises(TypeError, match="cannot be sent"):
        kit.pack_values([np.zeros(2, dtype=dtype)])


@given(JSON, st.binary(max_size=40))
def test_any_description_of_values_gives_values_or_an_error_that_is_caught(
    items: Any, body: bytes
) -> None:
    arrays = {"array": "int8", "shape": items, "size": len(body)}
    listed = {**arrays, "shape": [len(body)], "listed": items}
    tries = (items, [items], [{"value": items}], [arrays], [{**arrays, "size": items}], [listed])
    for tried in (*tries, [{**arrays, "listed": True}]):
        with suppress(ValueError, LookupError, TypeError, OverflowError, RecursionError):
            kit.unpack_values(tried, body)


def test_frames_over_a_pipe_and_their_end() -> None:
    read, write = os.pipe()
    back, unused = os.pipe()
    one, other = kit.Pipe(back, write), kit.Pipe(read, unused)
    one.send({"a": [1, None]}, b"body")
    one.send({})
    assert other.receive() == ({"a": [1, None]}, b"body")
    assert other.receive() == ({}, b"")
    os.write(write, b"\0\0")
    os.close(write)
    with pytest.raises(EOFError):
        other.receive()
    os.close(unused)


def test_a_message_that_is_too_large_is_neither_sent_nor_awaited() -> None:
    read, write = os.pipe()
    pipe = kit.Pipe(read, write)
    with pytest.raises(ValueError, match="too many for one message"):
        pipe.send({"text": "x" * kit.MAX_HEADER})
    os.write(write, kit.PREFIX.pack(10, kit.MAX_FRAME + 1))
    with pytest.raises(ValueError, match="too many for one message"):
        pipe.receive()
    os.close(write)


def test_the_generator_follows_from_text_and_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlgym_kit", kit)
    from mlgym.task.kit_referee import make_rng

    def first(text: str, salt: bytes) -> float:
        return make_rng(text, salt).random()

    assert first("a/1", b"salt") == first("a/1", b"salt")
    assert len({first(text, salt) for text in ("a", "b") for salt in (b"", b"1", b"2")}) == 6


@pytest.mark.parametrize(
    ("move", "wanted"),
    [
        (np.int64(3), 3),
        (np.array([1, 2]), [1, 2]),
        ([np.int8(1), 2], [1, 2]),
        ((1, (2, np.array([3]))), [1, [2, [3]]]),
        (None, None),
        ("x", "x"),
    ],
)
def test_moves_become_plain(move: Any, wanted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlgym_kit", kit)
    from mlgym.task.kit_player import plain

    assert json.loads(json.dumps(plain(move))) == wanted


# The shim as a process ------------------------------------------------------------------------

Ask = Callable[..., Any]


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """Asks a shim that has loaded the given text: `ask("load", text)`, `ask("call", name, ...)`."""
    command = [sys.executable, "-P", "-s", str(kit_folder() / "mlgym_kit.py"), "player"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        pipe = kit.Pipe(os.dup(process.stdout.fileno()), process.stdin.fileno())
        assert pipe.receive() == ({"ready": "player"}, b"")

        def asked(request: str, *values: Any) -> Any:
            if request == "load":
                program = tmp_path / "program.py"
                program.write_text(values[0])
                values = (str(program), 5)
            items, body = kit.pack_values(values)
            pipe.send({"player": request, "ticket": "t", "values": items}, body)
            header, data = pipe.receive()
            assert header["ticket"] == "t"
            return header.get("error") or kit.unpack_values(header["values"], data)[0]

        yield asked
        process.stdin.close()
        assert process.wait(5) == 0


def test_the_shim_keeps_histories_of_its_own(ask: Ask) -> None:
    ask("load", "def move(h):\n    n = len(h)\n    h.append('spoilt')\n    return [n, h[:n]]\n")
    assert ask("play", "move", 2) == [[0, []], [0, []]]
    second = ask("play", "move", np.array([[1, 2], [3, 4]]))
    assert second == [[1, [[[0, []], [1, 2]]]], [1, [[[0, []], [3, 4]]]]]
    assert ask("play", "move", 1) == [[0, []]]


def test_the_shim_gives_a_strategy_tuples(ask: Ask) -> None:
    ask("load", "def move(h):\n    return repr(h)\n")
    ask("play", "move", 1)
    assert ask("play", "move", np.array([4])) == ["[('[]', 4)]"]


def test_print_and_input_do_not_reach_the_frames(ask: Ask) -> None:
    ask(
        "load", "import os, sys\nprint('x')\nos.write(1, b'y')\ndef read(): return sys.stdin.read()"
    )
    assert ask("call", "read") == ""


COUNTER = """\
class Counter:
    def __init__(self, start):
        self.start = start
    def count(self, by, state):
        seen = [*(state or []), self.start + by]
        return seen, seen
    def start_of(self):
        return self.start
def make(start):
    return Counter(start)
def count(state):
    return state, 1
"""


def test_the_shim_keeps_what_was_built_and_its_state(ask: Ask) -> None:
    ask("load", COUNTER)
    assert ask("step", "count") is None
    assert ask("step", "count") == 1
    assert ask("build", "make", 10) is None
    assert ask("call", "start_of") == 10
    assert ask("step", "count", 1) == [11]
    assert ask("step", "count", 2) == [11, 12]
    assert "no function make()" in ask("build", "make", 20)
    ask("load", COUNTER)
    assert ask("step", "count") is None


def test_a_state_may_be_anything_that_could_not_be_sent(ask: Ask) -> None:
    ask("load", "def move(x, state):\n    return (state or (lambda y: y))(x), lambda y: y + 1\n")
    assert [ask("step", "move", 5) for _ in range(2)] == [5, 6]


def test_what_breaks_the_rules_of_building_and_stepping_is_told(ask: Ask) -> None:
    ask("load", "def make(): pass\ndef move(state): return 3\n")
    assert "move() must return a pair" in ask("step", "move")
    assert "takes 0 positional arguments" in ask("build", "make", 1)
    ask("build", "make")
    assert "what was loaded, None, has no function act()" in ask("step", "act")


def test_random_numbers_are_seeded_before_the_program_is_loaded(ask: Ask) -> None:
    program = (
        "import random, numpy\nDRAWN = [random.random(), float(numpy.random.rand())]\n"
        "def drawn(): return DRAWN\n"
    )
    ask("load", program)
    drawn = ask("call", "drawn")
    ask("load", program)
    assert ask("call", "drawn") == drawn


def test_numpy_is_imported_where_the_program_wants_it_and_seeded_all_the_same(ask: Ask) -> None:
    program = (
        "import sys\ndef move(history): return int('numpy' in sys.modules)\n"
        "def late():\n    from numpy import random\n    return float(random.rand())\n"
    )
    ask("load", program)
    assert ask("play", "move", 2) == [0, 0]
    assert ask("play", "move", [1, 0]) == [0, 0]
    drawn = ask("call", "late")
    ask("load", program)
    assert ask("call", "late") == drawn


def test_what_a_program_does_wrong_is_told_with_its_own_lines_only(ask: Ask) -> None:
    ask("load", "def move(h):\n    return 1 // 0\n")
    error = ask("play", "move", 1)
    assert "program.py" in error
    assert "ZeroDivisionError" in error
    assert "mlgym_kit" not in error
    assert "no function other()" in ask("call", "other")
    assert "SyntaxError" in ask("load", "def move(:")
    ask("load", "import numpy\ndef objects(): return numpy.array([None])")
    assert "cannot be sent" in ask("call", "objects")
    ask("load", "def much(): return 'x' * (9 << 20)")
    assert "too many for one message" in ask("call", "much")


def test_the_kit_needs_the_standard_library_only() -> None:
    code = (
        "import sys; sys.modules['numpy'] = None; sys.argv = ['kit'];"
        f"sys.path.insert(0, {str(kit_folder())!r}); import mlgym_kit_referee as kit;"
        "rng = kit.make_rng('a', b''); rng.random(); print(type(rng).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "Random\n"
