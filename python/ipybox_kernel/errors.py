"""An exception as the content of an ``error`` message."""

import linecache
import os
import re
import traceback
from types import TracebackType
from typing import Any

_OWN_FILES = os.path.dirname(__file__) + os.sep
_IPYTHON = "/IPython/core/"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def describe_exception(etype: type[BaseException], evalue: BaseException, stb: Any, compiler: Any) -> dict:
    """``stb`` is a list of texts, unless an exception's own ``_render_traceback_`` has given something else."""
    texts = [stb] if isinstance(stb, str) else stb if isinstance(stb, list) else []
    return {
        "ename": etype.__name__,
        "evalue": exception_text(evalue),
        "traceback": [_ANSI.sub("", str(text)) for text in texts],
        "frames": _frames_of(evalue, compiler),
    }


def exception_text(evalue: BaseException) -> str:
    try:
        return str(evalue)
    except Exception as error:
        return f"<the exception's text can't be had: {type(error).__name__}>"


def python_traceback(error: BaseException) -> list[str]:
    """As Python shows it, without what is IPython's own."""
    try:
        first = error.__traceback__
        while first is not None and _IPYTHON in first.tb_frame.f_code.co_filename:
            first = first.tb_next
        return "".join(traceback.format_exception(type(error), error, first)).rstrip("\n").split("\n")
    except Exception:  # a broken __str__ of one that belongs to it
        return [f"{type(error).__name__}: {exception_text(error)}".removesuffix(": ")]


def _frames_of(evalue: BaseException, compiler: Any) -> list[dict]:
    """The traceback as data, outermost call first, without IPython's own frames."""
    cells: dict[str, int] = getattr(compiler, "_filename_map", {})
    frames: list[dict[str, Any]] = []
    for entry, line in traceback.walk_tb(evalue.__traceback__):
        code = entry.f_code
        frames.append(
            {
                "file": f"In[{cells[code.co_filename]}]" if code.co_filename in cells else code.co_filename,
                "line": line,
                "function": code.co_name,
                "code": linecache.getline(code.co_filename, line).strip(),
            }
        )
    while frames and _IPYTHON in frames[0]["file"]:
        del frames[0]
    return frames


def hide_own_frames(error: BaseException | None) -> None:
    """Takes this package's calls out of the tracebacks of an exception, its causes and contexts."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        shown = _without_own_frames(error.__traceback__)
        if shown is not error.__traceback__:
            error.__traceback__ = shown
        error = error.__cause__ or error.__context__


def _without_own_frames(first: TracebackType | None) -> TracebackType | None:
    while first is not None and _is_own(first):
        first = first.tb_next
    entry = first
    while entry is not None:
        while entry.tb_next is not None and _is_own(entry.tb_next):
            entry.tb_next = entry.tb_next.tb_next
        entry = entry.tb_next
    return first


def _is_own(entry: TracebackType) -> bool:
    return entry.tb_frame.f_code.co_filename.startswith(_OWN_FILES)
