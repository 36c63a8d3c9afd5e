"""A kernel's one way in: requests for its main loop, and replies for whoever waits for one.

One thread at a time reads the socket: it hands on what is meant for others, and who leaves while others
wait has one of them read on. So no thread is needed that only reads, and a kernel at rest can be forked.
"""

import asyncio
import contextlib
import queue
import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from . import frames
from .channel import Channel

#: How soon a thread that reads notices that it need not wait any more.
_POLL_S = 0.05

#: So much is read at once before room is made for all of a message.
_READ_BYTES = 64 * 1024

#: A cell may put something else in its place.
_get_ident = threading.get_ident

#: Messages that answer something, by a number.
_REPLIES = ("input_reply", "host_call_reply")


class Waiter:
    """Somebody who waits for the reply of a type and a number. The reply is a message, or an exception to be raised."""

    def __init__(self, kind: str, number: int, execution: int) -> None:
        self.key = (kind, number)
        self.execution = execution
        self.reply: dict | BaseException | None = None

    def settle(self, reply: dict | BaseException) -> None:
        """The first reply counts. May be called by any thread, and by a signal handler."""
        if self.reply is None:
            self.reply = reply
            self._wake()

    def nudge(self) -> bool:
        """Nobody reads: asks the waiter to do it; False when it doesn't read by itself."""
        return False

    def _wake(self) -> None:
        raise NotImplementedError


class ThreadWaiter(Waiter):
    """A thread that waits."""

    def __init__(self, kind: str, number: int, execution: int) -> None:
        super().__init__(kind, number, execution)
        self.is_main = threading.current_thread() is threading.main_thread()
        self.box: queue.SimpleQueue[None] = queue.SimpleQueue()

    def nudge(self) -> bool:
        self.box.put(None)
        return True

    def _wake(self) -> None:
        self.box.put(None)


class TaskWaiter(Waiter):
    """An asyncio task that waits."""

    def __init__(self, kind: str, number: int, execution: int) -> None:
        super().__init__(kind, number, execution)
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[dict] = self.loop.create_future()

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # its loop was closed
            self.loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        if self.future.done():
            return
        if isinstance(self.reply, KeyboardInterrupt):
            self.future.cancel()
        elif isinstance(self.reply, BaseException):
            self.future.set_exception(self.reply)
        else:
            assert self.reply is not None
            self.future.set_result(self.reply)


class _Leading:
    """With it, a thread learns whether it is the one that reads now; if so, another one is asked to read afterwards."""

    def __init__(self, pass_on: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._leader = 0
        self._pass_on = pass_on

    @property
    def taken(self) -> bool:
        return self._lock.locked()

    def __enter__(self) -> bool:
        thread = _get_ident()
        if self._leader == thread:
            raise RuntimeError("a finalizer or signal handler can't wait for a reply while its thread does")
        if not self._lock.acquire(blocking=False):
            return False
        self._leader = thread
        return True

    def __exit__(self, *_: object) -> None:
        if self._leader == _get_ident():
            self._leader = 0
            self._lock.release()
            self._pass_on()


class Inbox:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        #: What is done with a message at once, by whoever reads it.
        self.at_once: dict[str, Callable[[dict], None]] = {}
        self.bind()

    def bind(self) -> None:
        """Begins anew: in a kernel that was just forked, nobody waits for anything."""
        self._leading = _Leading(self._pass_on)
        self._waiters: dict[tuple[str, int], Waiter] = {}
        self._requests: deque[tuple[int, dict]] = deque()
        #: Whether the main thread waits for a request, and what wakes it when another thread reads.
        self._main_waits = False
        self._main_box: queue.SimpleQueue[None] = queue.SimpleQueue()
        #: Event loops that read, and for how many.
        self._loops: dict[asyncio.AbstractEventLoop, int] = {}
        self._stop_main_loop: Callable[[], Any] | None = None
        self._ended = False

    # --- requests -----------------------------------------------------------------------------

    def next_request(self) -> tuple[int, dict] | None:
        """The next request; None when the agent has let go. Called by the main thread between cells."""
        while not self.has_request:
            self._main_waits = True  # before it is known whether another thread reads: that may just have ended
            with self._leading as leads:
                if leads:
                    self._main_waits = False
                    while not self.has_request:
                        self._read()
            if not leads and not self.has_request:  # what came before the flag was set has woken nobody
                self._main_box.get()
        self._main_waits = False
        return self._requests.popleft() if self._requests else None

    @property
    def has_request(self) -> bool:
        return bool(self._requests) or self._ended

    @contextlib.contextmanager
    def stopping(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """While the main thread runs its loop between cells: a request stops that."""
        is_over = False

        def stop() -> None:
            if not is_over:  # something else may have stopped it before
                loop.stop()

        self._stop_main_loop = lambda: loop.call_soon_threadsafe(stop)
        self._attend(loop)
        if self.has_request:
            loop.call_soon(stop)
        try:
            yield
        finally:
            is_over = True
            self._stop_main_loop = None
            self._leave(loop)

    # --- replies ------------------------------------------------------------------------------

    def add(self, waiter: Waiter) -> None:
        """Before what it waits for is asked."""
        if self._ended:
            waiter.settle(_ending())
        self._waiters[waiter.key] = waiter

    def forget(self, waiter: Waiter) -> None:
        self._waiters.pop(waiter.key, None)

    def settle(self, kind: str, number: int, reply: dict | BaseException) -> None:
        """Gives somebody a reply; nobody, when it was given up."""
        waiter = self._waiters.get((kind, number))
        if waiter is not None:
            waiter.settle(reply)

    def wait(self, waiter: ThreadWaiter) -> dict:
        """Gives the reply, and reads until it has come, unless another thread does."""
        with self._channel.uninterrupted():
            try:
                while waiter.reply is None:
                    with self._leading as leads:
                        if leads:
                            self._read_until(waiter)
                    if not leads:
                        with self._channel.interruptible():
                            waiter.box.get()
            finally:
                self.forget(waiter)
                self._pass_on()
        if isinstance(waiter.reply, BaseException):
            raise waiter.reply
        return waiter.reply

    async def wait_async(self, waiter: TaskWaiter) -> dict:
        """Gives the reply; meanwhile the task's loop reads, unless another thread does."""
        self._attend(waiter.loop)
        try:
            return await waiter.future
        finally:
            self.forget(waiter)
            self._leave(waiter.loop)

    def interrupt(self, execution: int) -> None:
        """The cell is interrupted, and with it the threads and tasks that wait. Called by the signal handler."""
        for waiter in list(self._waiters.values()):
            is_main = isinstance(waiter, ThreadWaiter) and waiter.is_main
            if waiter.key[0] == "host_call_reply" and waiter.execution == execution and not is_main:
                waiter.settle(KeyboardInterrupt())

    def end_questions(self, execution: int) -> None:
        """The cell has ended: nobody answers its threads' `input()` any more."""
        for waiter in list(self._waiters.values()):
            if waiter.key[0] == "input_reply" and waiter.execution == execution:
                waiter.settle(EOFError("the cell that asked has ended"))

    # --- reading ------------------------------------------------------------------------------

    def _read_until(self, waiter: ThreadWaiter) -> None:
        descriptor = self._channel.fileno()
        while waiter.reply is None:
            with self._channel.interruptible():
                readable = select.select([descriptor], [], [], _POLL_S)[0]
            if readable:
                self._read()

    def _read_available(self) -> None:
        """Called by an event loop when there is something to read."""
        with self._channel.uninterrupted(), self._leading as leads:
            while leads and not self._ended and select.select([self._channel.fileno()], [], [], 0)[0]:
                self._read()

    def _pass_on(self) -> None:
        """Has a thread that waits read on, when there is one."""
        if self._leading.taken:
            return
        if self._main_waits and not self.has_request:
            self._main_box.put(None)
            return
        for waiter in list(self._waiters.values()):
            if waiter.nudge():
                return

    def _read(self) -> None:
        """Reads one message, and hands it to whom it is meant for."""
        header = self._read_bytes(frames.HEADER.size)
        payload = None
        if header is not None:
            length, kind, _, _, execution, _ = frames.HEADER.unpack(header)
            payload = self._read_bytes(length)
        if payload is None:
            self._end()
            return
        message = frames.decode_message(payload) if kind == frames.MESSAGE else frames.decode_json(payload)
        name = message["type"]
        if name in _REPLIES:
            self.settle(name, message["number"], {**message, "bytes": len(payload)})
        elif name in self.at_once:
            self.at_once[name](message)
        else:
            self._requests.append((execution, message))
            self._wake_main()

    def _end(self) -> None:
        self._ended = True
        for waiter in list(self._waiters.values()):
            waiter.settle(_ending())
        self._wake_main()

    def _wake_main(self) -> None:
        if self._main_waits:
            self._main_box.put(None)
        if (stop := self._stop_main_loop) is not None:
            with contextlib.suppress(RuntimeError):  # closed by a task
                stop()

    def _read_bytes(self, length: int) -> bytes | bytearray | None:
        sock: socket.socket = self._channel.sock
        begun = sock.recv(min(length, _READ_BYTES))
        if len(begun) == length:
            return begun  # in most cases
        data = bytearray(length)
        view = memoryview(data)
        data[: len(begun)] = begun
        view = view[len(begun) :]
        while view:
            count = sock.recv_into(view)
            if count == 0:
                return None
            view = view[count:]
        return data

    # --- event loops --------------------------------------------------------------------------

    def _attend(self, loop: asyncio.AbstractEventLoop) -> None:
        attending = self._loops.get(loop, 0)
        self._loops[loop] = attending + 1
        if attending == 0:
            loop.add_reader(self._channel.fileno(), self._read_available)

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        attending = self._loops.get(loop, 0)
        if attending > 1:
            self._loops[loop] = attending - 1
            return
        self._loops.pop(loop, None)
        with contextlib.suppress(RuntimeError):  # it was closed
            loop.remove_reader(self._channel.fileno())


def _ending() -> EOFError:
    return EOFError("the kernel is about to end")
