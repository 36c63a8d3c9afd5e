"""How an interrupt, SIGINT, ends what a cell runs, and nothing of what runs it."""

import asyncio
import os
import selectors
import signal
import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from IPython.core import interactiveshell

from . import frames
from .channel import Channel
from .inbox import Inbox

#: Files of code that calls what a cell awaits.
_CALLERS = (os.path.join(os.path.dirname(asyncio.__file__), ""), selectors.__file__, interactiveshell.__file__)
_RUNS_LOOP = (asyncio.BaseEventLoop.run_forever.__code__, asyncio.BaseEventLoop.run_until_complete.__code__)


class Interrupts:
    """Raises in code of users' alone: the kernel's own would be left half done, or end.

    ``outermost`` is the code that the kernel runs in from beginning to end.
    """

    def __init__(self, channel: Channel, inbox: Inbox, outermost: CodeType) -> None:
        self._channel = channel
        self._inbox = inbox
        self._outermost = outermost
        #: One has come while no code of users' ran.
        self._came_early = False
        self._begin()

    def _begin(self) -> None:
        #: How many the execution has got.
        self._count = 0
        #: One is raised as soon as the event loop has done what it is at.
        self._is_due = False
        #: Python has dropped one; the code around the finalizer is to get it again.
        self._is_dropped = False

    def install(self) -> None:
        """In the kernel's process, before it takes requests."""
        self._show_unraisable = sys.unraisablehook
        sys.unraisablehook = self._on_unraisable
        self._handle()

    def _handle(self) -> None:
        signal.signal(signal.SIGINT, self._on_signal)

    def call(self, execution: int, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Calls what an interrupt may end, from the first step in here to the last."""
        if signal.getsignal(signal.SIGINT) != self._on_signal:  # a handler of a cell's own ends with the cell, as in ipykernel
            self._handle()
        if self._came_early:
            # Was it meant for this execution, or came it too late for the one before? The agent knows.
            self._came_early = False
            self._channel.sock.send(frames.frame(frames.BEGUN, b"", execution))
        self._begin()
        return function(*args, **options)

    def raise_due(self) -> None:
        """Raises an interrupt that has waited for the event loop, unless its execution has ended."""
        if self._is_due and self._channel.running:
            self._is_due = False
            raise KeyboardInterrupt

    def _on_signal(self, _: int, frame: FrameType | None) -> None:
        if not self._channel.owned:
            return
        if not self._channel.running or not self._is_in_users_code(frame):
            self._came_early = True
            return
        self._count += 1
        self._inbox.interrupt(self._channel.running)
        if self._channel.interrupt():
            self._raise_in(frame)

    def _raise_in(self, frame: FrameType | None) -> None:
        """Raises there, or as soon as the event loop has done what it is at: unless that has not ended before the next one came."""
        loop = _loop_at_work(frame)
        if loop is None or self._count > 1:
            self._is_due = False
            raise KeyboardInterrupt
        self._is_due = True
        loop.call_soon_threadsafe(self.raise_due)

    def _on_unraisable(self, unraisable: Any) -> None:
        """Python drops what is raised in a finalizer: an interrupt is raised again in the code around it."""
        try:
            if not self._may_raise_again(unraisable):
                self._show_unraisable(unraisable)
                return
        except KeyboardInterrupt:
            pass  # it has come just now, and would be dropped, too
        self._is_dropped = True
        sys.settrace(lambda *_: None)  # not in what that code calls: it may be the next finalizer
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code is not _CALL:
            frame.f_trace = self._raise_dropped
            frame = frame.f_back

    def _may_raise_again(self, unraisable: Any) -> bool:
        """Whether it is an interrupt of the running cell, and no tracer of its own is at work."""
        is_interrupt = unraisable.exc_type is KeyboardInterrupt and threading.current_thread() is threading.main_thread()
        return is_interrupt and self._count > 0 and self._channel.running > 0 and self._channel.owned and sys.gettrace() is None

    def _raise_dropped(self, frame: FrameType, *_: object) -> None:
        """Called at a frame's next line, or at its end."""
        if self._is_dropped and self._channel.running:
            self._is_dropped = False
            sys.settrace(None)
            self._raise_in(frame)

    def _is_in_users_code(self, frame: FrameType | None) -> bool:
        """Whether it was called by `call`; a stack that is not the kernel's, say a greenlet's, is theirs, too."""
        while frame is not None and frame.f_code is not self._outermost:
            if frame.f_code is _CALL:
                return True
            frame = frame.f_back
        return frame is None


_CALL = Interrupts.call.__code__


def _loop_at_work(frame: FrameType | None) -> asyncio.AbstractEventLoop | None:
    """The event loop whose own code is interrupted. It would forget the callback that it is about to call, and whoever waits
    for that would wait forever; or take itself for running from then on."""
    while frame is not None and frame.f_code.co_filename.startswith(_CALLERS):
        if frame.f_code in _RUNS_LOOP:
            loop: asyncio.AbstractEventLoop = frame.f_locals["self"]
            return loop
        frame = frame.f_back
    return None
