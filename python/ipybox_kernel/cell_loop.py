"""asyncio's loop in a cell without ``await``.

In a notebook the loop runs all the time, so ``asyncio.create_task`` works in every cell: the task goes
on in the next cell with ``await``, or between cells. So it does here, although the loop runs only then.
A cell that doesn't touch asyncio doesn't even make the loop, and ``asyncio.run`` works in any.
"""

import asyncio
import os
import threading
from asyncio import events
from collections.abc import Callable
from typing import Any

#: Runs a coroutine on the kernel's loop, to its end.
Runner = Callable[[Any], Any]

_get_running_loop = events.get_running_loop
_get_event_loop = events.get_event_loop
_get_loop_of_policy = events.BaseDefaultEventLoopPolicy.get_event_loop
_main = threading.get_ident()


class CellLoop:
    """The kernel's loop, for cells that ask for the one that runs."""

    def __init__(self) -> None:
        #: Of the cell that runs.
        self.runner: Runner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0

    def offered(self, runner: Runner) -> "_Offer":
        """While a cell runs. ``runner`` makes the loop when it is asked for."""
        return _Offer(self, runner)

    def install(self) -> None:
        """From here on asyncio asks this loop where it has no other."""
        asyncio.get_running_loop = events.get_running_loop = self._running
        asyncio.get_event_loop = events.get_event_loop = self._current
        cell_loop = self

        def get_event_loop(policy: Any) -> asyncio.AbstractEventLoop:
            if policy._local._loop is None and cell_loop._is_asked:
                return cell_loop._offer()
            return _get_loop_of_policy(policy)

        events.BaseDefaultEventLoopPolicy.get_event_loop = get_event_loop  # type: ignore[method-assign, assignment]

    @property
    def _is_asked(self) -> bool:
        return self.runner is not None and threading.get_ident() == _main

    def _running(self) -> asyncio.AbstractEventLoop:
        if not self._is_asked:
            return _get_running_loop()
        return events._get_running_loop() or self._offer()

    def _current(self) -> asyncio.AbstractEventLoop:
        if not self._is_asked:
            return _get_event_loop()
        return events._get_running_loop() or self._offer()

    def _offer(self) -> asyncio.AbstractEventLoop:
        assert self.runner is not None
        if self._loop is None or self._loop.is_closed() or self._pid != os.getpid():
            self._loop, self._pid = self.runner(_this_loop()), os.getpid()
        return self._loop


class _Offer:
    """The time of one cell. No generator: that takes twice as long."""

    __slots__ = ("_loop", "_outer", "_runner")

    def __init__(self, loop: CellLoop, runner: Runner) -> None:
        self._loop, self._runner = loop, runner

    def __enter__(self) -> None:
        self._outer = self._loop.runner  # a cell may run cells
        self._loop.runner = self._runner

    def __exit__(self, *_: object) -> None:
        self._loop.runner = self._outer


class NamedRunner:
    """A runner that ``%autoawait`` calls by its name."""

    def __init__(self, run: Runner) -> None:
        self._run = run

    def __call__(self, coroutine: Any) -> Any:
        return self._run(coroutine)

    def __str__(self) -> str:
        return "asyncio"


async def _this_loop() -> asyncio.AbstractEventLoop:
    return _get_running_loop()
