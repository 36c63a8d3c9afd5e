"""An exception as the content of an ``error`` message."""

import linecache
import re
import traceback
from typing import Any

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def describe_exception(etype: type[BaseException], evalue: BaseException, stb: list[str], compiler: Any) -> dict:
    return {
        "ename": etype.__name__,
        "evalue": exception_text(evalue),
        "traceback": [_ANSI.sub("", line) for line in stb],
        "frames": _frames_of(evalue, compiler),
    }


def exception_text(evalue: BaseException) -> str:
    try:
        return str(evalue)
    except Exception as error:
        return f"<the exception's text can't be had: {type(error).__name__}>"


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
    while frames and "/IPython/core/" in frames[0]["file"]:
        del frames[0]
    return frames
