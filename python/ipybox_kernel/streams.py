"""``sys.stdout`` and ``sys.stderr`` of a kernel: what is written has left the process on return."""

import builtins
import functools
import io
import os
import sys
from collections.abc import Callable
from typing import Any

from . import frames
from .channel import Channel


class OutStream(io.TextIOBase):
    """One of the two streams. Every write is sent at once; nothing is buffered."""

    encoding = "utf-8"
    errors = "surrogatepass"
    line_buffering = True

    def __init__(self, channel: Channel, kind: int, fileno: int) -> None:
        self._channel = channel
        self._kind = kind
        self._fileno = fileno
        self.buffer = _BytesStream(self)

    @property
    def name(self) -> str:
        return "stdout" if self._kind == frames.STDOUT else "stderr"

    @property
    def mode(self) -> str:
        return "w"

    def fileno(self) -> int:
        return self._fileno

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if text:
            data = text.encode("utf-8", "surrogatepass")
            if self._channel.owned:
                self._channel.stream(self._kind, data)
            else:
                self._write_as_child(data)
        return len(text)

    def send(self, data: bytes, flags: int) -> None:
        if self._channel.owned:
            self._channel.stream(self._kind, data, flags)
        else:
            self._write_as_child(data)

    def _write_as_child(self, data: bytes) -> None:
        """In a process that a cell has forked."""
        while data:
            data = data[os.write(self._fileno, data) :]


class _BytesStream(io.RawIOBase):
    """``sys.stdout.buffer``: bytes go out as they are."""

    def __init__(self, text: OutStream) -> None:
        self._text = text

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._text.fileno()

    def write(self, data: Any) -> int:
        data = bytes(data)
        if data:
            self._text.send(data, frames.RAW)
        return len(data)


class Print:
    """A ``print`` that writes once, so that the reader of an unbuffered stream gets it as one chunk.

    Python's own writes each value, each separator and the end apart. Whatever is not a plain call
    to one of our streams is left to it. No function: as an attribute of a class, that would be a method.
    """

    def __init__(self, original: Callable[..., None]) -> None:
        functools.update_wrapper(self, original)

    def __call__(self, *values: Any, sep: Any = " ", end: Any = "\n", file: Any = None, flush: Any = False) -> None:
        stream = sys.stdout if file is None else file
        separator = " " if sep is None else sep
        last = "\n" if end is None else end
        if type(stream) is not OutStream or type(separator) is not str or type(last) is not str:
            self.__wrapped__(*values, sep=sep, end=end, file=file, flush=flush)  # type: ignore[attr-defined]
            return
        texts: list[str] = []
        try:
            for value in values:
                texts.append(str(value))
        except BaseException:
            if texts:
                stream.write(separator.join(texts) + separator)
            raise
        stream.write(separator.join(texts) + last)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)  # type: ignore[attr-defined]

    def __reduce__(self) -> str:
        return "print"


def install_print() -> None:
    builtins.print = Print(builtins.print)
