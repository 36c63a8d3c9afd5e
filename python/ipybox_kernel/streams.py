"""``sys.stdout`` and ``sys.stderr`` of a kernel: what is written has left the process on return."""

import ctypes
import functools
import io
import os
import sys
import threading
import weakref

from . import frames
from .channel import Channel

#: More than this is sent at once, even in the middle of a ``print``.
HOLD_BYTES = 8 * 1024

_PENDING_CALL = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_add_pending_call = ctypes.pythonapi.Py_AddPendingCall
_add_pending_call.argtypes = [_PENDING_CALL, ctypes.py_object]
_add_pending_call.restype = ctypes.c_int


class _Token:
    __slots__ = ("__weakref__",)


class OutStream(io.TextIOBase):
    """One of the two streams.

    ``print("a", "b")`` writes four times. So that it is one chunk for the reader, text without a
    newline is held until the call that wrote it has returned: the interpreter runs a *pending call*
    right after, in the main thread. It is asked for when ``write`` has left its frame (a weak
    reference's callback, run by C code), because inside of it the pending call would run too early.
    """

    encoding = "utf-8"
    errors = "surrogatepass"
    line_buffering = True

    def __init__(self, channel: Channel, kind: int, fileno: int) -> None:
        self._channel = channel
        self._kind = kind
        self._fileno = fileno
        self._main = threading.get_ident()
        self._held: list[str] = []
        self._armed: weakref.ref | None = None
        self._on_return = _PENDING_CALL(self._returned)
        self._arm = functools.partial(_add_pending_call, self._on_return)
        self.buffer = _BytesStream(self)

    @property
    def name(self) -> str:
        return "<stdout>" if self._kind == frames.STDOUT else "<stderr>"

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
        if threading.get_ident() != self._main or not self._channel.owned:
            self._send(text)
            return len(text)
        self._held.append(text)
        if "\n" in text or len(text) > HOLD_BYTES or len(self._held) > 1000:
            self.flush()
        elif self._armed is None:
            token = _Token()
            self._armed = weakref.ref(token, self._arm)
        return len(text)

    def flush(self) -> None:
        if self._held and threading.get_ident() == self._main:
            text = "".join(self._held)
            self._held.clear()
            self._send(text)

    def _returned(self, _: int) -> int:
        self._armed = None
        # Inside `write` again: the same print goes on, and that call decides.
        if self._held and sys._getframe(1).f_code is not _WRITE_CODE:
            self.flush()
        return 0

    def _send(self, text: str) -> None:
        if text:
            self.send_bytes(text.encode("utf-8", "surrogatepass"), 0)

    def send_bytes(self, data: bytes, flags: int) -> None:
        if self._channel.owned:
            self._channel.stream(self._kind, data, flags)
            return
        while data:  # a process that a cell has forked
            data = data[os.write(self._fileno, data) :]


_WRITE_CODE = OutStream.write.__code__


class _BytesStream(io.RawIOBase):
    """``sys.stdout.buffer``: bytes go out as they are, after the text before them."""

    def __init__(self, text: OutStream) -> None:
        self._text = text

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._text.fileno()

    def write(self, data) -> int:  # type: ignore[override]
        self._text.flush()
        data = bytes(data)
        if data:
            self._text.send_bytes(data, frames.RAW)
        return len(data)
