"""A kernel's one way out: everything a cell gives leaves through here, in the order it happened."""

import contextlib
import contextvars
import os
import select
import socket
import threading
from collections import deque
from collections.abc import Iterator

from . import frames

#: A cell may put something else in its place.
_getpid = os.getpid

#: The execution that the running code belongs to; threads and tasks keep the one that started them.
current_execution: contextvars.ContextVar[int] = contextvars.ContextVar("ipybox_execution", default=0)

#: How long output at the level of file descriptors may hold up a frame while nothing blocks its relay.
_SLOT_PATIENCE_S = 1.0
_SLOT_POLL_S = 0.01

#: So much may be on its way to the agent, of which Linux allows ``net.core.wmem_max``. With less, a cell that prints lines
#: waits for the agent again and again.
_SEND_BUFFER = 1024 * 1024


class Channel:
    """Sends frames on the kernel's socket, after what was written to file descriptors 1 and 2 before.

    The zygote relays those two: pipes with room for one packet, which it empties only after it has
    sent the packet on. A pipe that can be written to is therefore one with nothing left to relay.
    """

    def bind(self, sock: socket.socket, slots: list[int]) -> None:
        """Sends on this socket from now on. Called in each new process: it has a way of its own."""
        self.sock = sock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._slots = slots
        self._empty_slots = select.poll()
        for slot in slots:
            self._empty_slots.register(slot, select.POLLOUT)
        self._pid = _getpid()
        self._main = threading.get_ident()
        # Reentrant: a signal handler or a finalizer of the user's may show something at any point.
        self._message_lock = threading.RLock()
        self._held: deque[bytes] = deque()
        self._deferring = False
        self._interrupted = False
        #: The cell that runs now, 0 between cells.
        self.running = 0

    def fileno(self) -> int:
        return self.sock.fileno()

    @property
    def owned(self) -> bool:
        """Whether this process is the kernel, not one that a cell has forked."""
        return _getpid() == self._pid

    def stream(self, kind: int, data: bytes, flags: int = 0) -> None:
        execution, late = self._attribution()
        limit = frames.MAX_PAYLOAD
        if len(data) <= limit:
            self._send(frames.pack_header(len(data), kind, flags | late, 0, execution, 0) + data)
            return
        view = memoryview(data)
        start = 0
        while start < len(data):
            end = min(start + limit, len(data))
            # Text is cut between characters, so that each frame can be decoded alone.
            while not flags & frames.RAW and end < len(data) and data[end] & 0xC0 == 0x80:
                end -= 1
            self._send(frames.frame(kind, bytes(view[start:end]), execution, flags | late))
            start = end

    def message(self, content: dict, buffers: list[tuple[list, bytes]] | None = None) -> None:
        self._message(content, buffers or [], *self._attribution())

    def call(self, content: dict, buffers: list[tuple[list, bytes]] | None = None) -> None:
        """A message about calls of host functions: no output, but in its order."""
        payload = frames.encode_message(content, buffers or [])
        if len(payload) > frames.MAX_CALL:
            raise ValueError(f"the arguments have {len(payload)} bytes; at most {frames.MAX_CALL} can be sent")
        self._post(frames.CALL, payload, *self._attribution())

    def value(self, content: dict, buffers: list[tuple[list, bytes]]) -> None:
        """The cell's value, its last step: it leaves with what comes next, in most cells the reply."""
        self._message(content, buffers, *self._attribution(), holds=True)

    def reply(self, execution: int, content: dict, buffers: list[tuple[list, bytes]] | None = None) -> None:
        """The last message of a request. No cell runs any more that an interrupt could end."""
        failed = frames.FAILED if content["status"] == "error" else 0
        self._message(content, buffers or [], execution, frames.LAST | failed)

    def _message(self, content: dict, buffers: list[tuple[list, bytes]], execution: int, flags: int, holds: bool = False) -> None:
        if self.owned:
            self._post(frames.MESSAGE, frames.encode_message(content, buffers), execution, flags, holds)
        else:
            _print_text(content)

    def _post(self, kind: int, payload: bytes, execution: int, flags: int, holds: bool = False) -> None:
        """Sends a message in as many frames as it takes."""
        limit = frames.MAX_PAYLOAD
        if len(payload) <= limit:
            data = frames.frame(kind, payload, execution, flags)
            with self._message_lock:  # not between the parts of another thread's message
                if holds:
                    self._held.append(data)
                else:
                    self._send(data)
            return
        with self.uninterrupted(), self._message_lock:
            view = memoryview(payload)
            for start in range(0, len(payload), limit):
                part = bytes(view[start : start + limit])
                more = frames.MORE if start + limit < len(payload) else 0
                continued = frames.CONTINUED if start else 0
                self._send(frames.frame(kind, part, execution, flags | more | continued))

    @contextlib.contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """What must not be left half done: an interrupt is raised at its end."""
        if threading.get_ident() != self._main or self._deferring:
            yield
            return
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """A wait within what is `uninterrupted`: an interrupt ends it at once."""
        if threading.get_ident() != self._main or not self._deferring:
            yield
            return
        self._deferring = False
        try:
            if self._interrupted:
                self._interrupted = False
                raise KeyboardInterrupt
            yield
        finally:
            self._deferring = True

    def interrupt(self) -> bool:
        """Called by the signal handler: whether the interrupt may be raised now."""
        self._interrupted = self._deferring
        return not self._deferring

    def _attribution(self) -> tuple[int, int]:
        execution = current_execution.get() or self.running
        return execution, 0 if execution == self.running else frames.LATE

    def _send(self, data: bytes) -> None:
        try:
            empty = len(self._empty_slots.poll(0)) == len(self._slots)
        except RuntimeError:  # another thread asks at the same time
            empty = False
        if not empty:
            for slot in self._slots:
                self._wait_until_empty(slot)
        if self._held:
            data = self._behind_held(data)
        self.sock.send(data)

    def _behind_held(self, data: bytes) -> bytes:
        """One packet of what was held and what follows, or what is left of it when the first packets have been sent."""
        packet = b""
        with contextlib.suppress(IndexError):  # all, or another thread was faster
            while True:
                packet = self._join(packet, self._held.popleft())
        return self._join(packet, data)

    def _join(self, packet: bytes, data: bytes) -> bytes:
        if len(packet) + len(data) <= frames.MAX_FRAME:
            return packet + data
        if packet:
            self.sock.send(packet)
        return data

    def _wait_until_empty(self, slot: int) -> None:
        """Gives up when a background process writes without a pause: then no order exists to keep."""
        waited = 0.0
        while not _writable(slot, _SLOT_POLL_S):
            relay_blocked = not _writable(self.sock.fileno(), 0)
            waited += 0 if relay_blocked else _SLOT_POLL_S
            if waited >= _SLOT_PATIENCE_S:
                return


def _print_text(content: dict) -> None:
    """What a process shows that a cell has forked: only the kernel itself sends messages."""
    is_error = content["type"] == "error"
    text = "\n".join(content["traceback"]) if is_error else content.get("data", {}).get("text/plain")
    if text is not None:
        os.write(2 if is_error else 1, f"{text}\n".encode("utf-8", "surrogatepass"))


def _writable(descriptor: int, timeout: float) -> bool:
    return bool(select.select([], [descriptor], [], timeout)[1])
