"""A kernel's one way out: everything a cell gives leaves through here, in the order it happened."""

import contextvars
import os
import select
import socket
import threading

from . import frames

#: The execution that the running code belongs to; threads and tasks keep the one that started them.
current_execution: contextvars.ContextVar[int] = contextvars.ContextVar("ipybox_execution", default=0)

#: How long output at the level of file descriptors may hold up a frame while nothing blocks its relay.
SLOT_PATIENCE_MS = 1000


class Channel:
    """Sends frames on the kernel's socket, after what was written to file descriptors 1 and 2 before.

    The zygote relays those two: pipes with room for one packet, which it empties only after it has
    sent the packet on. A pipe that can be written to is therefore one with nothing left to relay.
    """

    def __init__(self, sock: socket.socket, slots: list[int]) -> None:
        self._sock = sock
        self._slots = len(slots)
        self._poll = select.poll()
        for slot in slots:
            self._poll.register(slot, select.POLLOUT)
        self._pid = os.getpid()
        self._main = threading.get_ident()
        self._message_lock = threading.Lock()
        self._deferring = False
        self._interrupted = False
        #: The cell that runs now, 0 between cells.
        self.running = 0

    @property
    def owned(self) -> bool:
        """Whether this process is the kernel, not one that a cell has forked."""
        return os.getpid() == self._pid

    def stream(self, kind: int, data: bytes, flags: int = 0) -> None:
        execution, late = self._attribution()
        limit = frames.MAX_PAYLOAD
        if len(data) <= limit:
            self._send(frames.frame(kind, data, execution, flags | late))
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

    def reply(self, execution: int, content: dict) -> None:
        """The last message of an execution. No cell runs any more that an interrupt could end."""
        failed = frames.FAILED if content["status"] == "error" else 0
        self._message(content, [], execution, frames.LAST | failed)

    def _message(self, content: dict, buffers: list[tuple[list, bytes]], execution: int, flags: int) -> None:
        payload = frames.encode_message(content, buffers)
        limit = frames.MAX_PAYLOAD
        if len(payload) <= limit:
            self._send(frames.frame(frames.MESSAGE, payload, execution, flags))
            return
        with self._whole():
            view = memoryview(payload)
            for start in range(0, len(payload), limit):
                part = bytes(view[start : start + limit])
                ends = start + limit >= len(payload)
                self._send(frames.frame(frames.MESSAGE, part, execution, flags if ends else frames.MORE))

    def interrupt(self) -> bool:
        """Called by the signal handler: whether the interrupt may be raised now.

        Half a message must not be left behind, so one that is being sent is finished first.
        """
        self._interrupted = self._deferring
        return not self._deferring

    def _attribution(self) -> tuple[int, int]:
        execution = current_execution.get() or self.running
        return execution, 0 if execution == self.running else frames.LATE

    def _whole(self) -> "_Whole":
        return _Whole(self)

    def _send(self, data: bytes) -> None:
        while len(self._poll.poll(0)) < self._slots:
            if not self._wait_for_slots():
                break
        self._sock.send(data)

    def _wait_for_slots(self) -> bool:
        """False when a background process writes without a pause, so that no order exists to keep."""
        waited = 0
        while len(self._poll.poll(10)) < self._slots:
            waited += 10
            relay_blocked = not select.select([], [self._sock], [], 0)[1]
            if waited >= SLOT_PATIENCE_MS and not relay_blocked:
                return False
        return True


class _Whole:
    """While entered, this thread's message is sent as one, and an interrupt waits for its end."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def __enter__(self) -> None:
        self._channel._message_lock.acquire()
        if threading.get_ident() == self._channel._main:
            self._channel._deferring = True

    def __exit__(self, *_: object) -> None:
        channel = self._channel
        channel._message_lock.release()
        if threading.get_ident() == channel._main:
            channel._deferring = False
            if channel._interrupted:
                channel._interrupted = False
                raise KeyboardInterrupt
