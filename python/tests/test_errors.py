"""An exception as data."""

import os
import traceback
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.compilerop import CachingCompiler

from ipybox_kernel import errors
from ipybox_kernel.errors import describe_exception, exception_text, hide_own_frames


def raised(code: str, compiler: Any, number: int = 3) -> BaseException:
    """What a cell raises."""
    name = compiler.cache(code, number)
    try:
        exec(compiler(code, name, "exec"), {})
    except BaseException as error:
        own = error.__traceback__
        return error.with_traceback(own and own.tb_next)
    raise AssertionError("the cell raised nothing")


def test_name_text_and_traceback_without_colours() -> None:
    # verifies: EXEC-07
    error = ZeroDivisionError("division by zero")
    described = describe_exception(type(error), error, ["\x1b[31mred\x1b[0m", "\x1b[1;32mgreen\x1b[0m plain"], None)
    assert described == {
        "ename": "ZeroDivisionError",
        "evalue": "division by zero",
        "traceback": ["red", "green plain"],
        "frames": [],
    }


def test_frames_have_the_lines_of_the_cell() -> None:
    # verifies: OUT-07
    compiler = CachingCompiler()
    code = "def f():\n    return 1 / 0\n\nf()\n"
    error = raised(code, compiler)
    assert describe_exception(type(error), error, [], compiler)["frames"] == [
        {"file": "In[3]", "line": 4, "function": "<module>", "code": "f()"},
        {"file": "In[3]", "line": 2, "function": "f", "code": "return 1 / 0"},
    ]


def test_frames_of_files_keep_their_path() -> None:
    # verifies: OUT-07
    compiler = CachingCompiler()
    error = raised("import json\njson.loads('x')", compiler)
    frames = describe_exception(type(error), error, [], compiler)["frames"]
    assert frames[0] == {"file": "In[3]", "line": 2, "function": "<module>", "code": "json.loads('x')"}
    assert frames[-1]["file"].endswith("/json/decoder.py")
    assert frames[-1]["code"].startswith("raise JSONDecodeError")


def test_ipythons_own_frames_are_left_out_at_the_top_only() -> None:
    frame = SimpleNamespace(f_code=SimpleNamespace(co_filename="/x/IPython/core/interactiveshell.py", co_name="run_code"))
    inner = SimpleNamespace(f_code=SimpleNamespace(co_filename="/home/x.py", co_name="g"))
    last = SimpleNamespace(tb_frame=frame, tb_lineno=3, tb_next=None)
    middle = SimpleNamespace(tb_frame=inner, tb_lineno=2, tb_next=last)
    first = SimpleNamespace(tb_frame=frame, tb_lineno=1, tb_next=middle)
    error = SimpleNamespace(__traceback__=first)
    frames = describe_exception(ValueError, error, [], None)["frames"]  # type: ignore[arg-type]
    assert [(frame["function"], frame["line"]) for frame in frames] == [("g", 2), ("run_code", 3)]


def test_an_exception_without_a_text_says_so() -> None:
    # verifies: EXEC-12
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("never")

    assert exception_text(Mute()) == "<the exception's text can't be had: RuntimeError>"
    assert describe_exception(Mute, Mute(), [], None)["evalue"] == "<the exception's text can't be had: RuntimeError>"


def test_frames_of_the_kernel_are_hidden_also_in_causes() -> None:
    own = os.path.join(os.path.dirname(errors.__file__), "stdin.py")
    call = compile("def call(f):\n    return f()\n", own, "exec")
    names: dict[str, Any] = {}
    exec(call, names)

    def fail() -> None:
        raise ValueError("inner")

    def wrap() -> None:
        try:
            names["call"](fail)
        except ValueError as error:
            raise KeyError("outer") from error

    with pytest.raises(KeyError) as caught:
        names["call"](lambda: names["call"](wrap))
    hide_own_frames(caught.value)
    functions = [entry.f_code.co_name for entry, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert functions == ["test_frames_of_the_kernel_are_hidden_also_in_causes", "<lambda>", "wrap"]
    cause = caught.value.__cause__
    assert cause is not None
    assert [entry.f_code.co_name for entry, _ in traceback.walk_tb(cause.__traceback__)] == ["wrap", "fail"]


def test_a_loop_of_causes_ends() -> None:
    first, second = ValueError(1), ValueError(2)
    first.__cause__, second.__cause__ = second, first
    hide_own_frames(first)
    hide_own_frames(None)
