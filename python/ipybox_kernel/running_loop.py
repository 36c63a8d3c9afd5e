"""asyncio's loop counts as running in every cell, as in a notebook: also in cells without ``await``.

So ``asyncio.create_task`` works anywhere. The task runs as soon as the loop really does: in a cell
with ``await``, or between cells. Other than in a notebook, ``asyncio.run`` works as well.
"""

import asyncio
import contextlib
import os
import threading
from asyncio import events
from collections.abc import Callable, Iterator
from typing import Any

Runner = Callable[[Any], Any]

_set_running_loop = events._set_running_loop
_get_running_loop = events._get_running_loop
_main = threading.main_thread()
_cell_loop: asyncio.AbstractEventLoop | None = None


class CellLoop:
    """The kernel's loop, as its cells see it."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0

    @contextlib.contextmanager
    def counts_as_running(self, runner: Runner) -> Iterator[None]:
        """While a cell runs; ``runner`` runs coroutines on the kernel's loop."""
        global _cell_loop
        if self._loop is None or self._loop.is_closed() or self._pid != os.getpid():
            self._loop, self._pid = runner(_running_loop()), os.getpid()
        outer = _cell_loop  # a cell may run cells
        _cell_loop = self._loop
        _set_running_loop(_cell_loop)
        try:
            yield
        finally:
            _cell_loop = outer
            _set_running_loop(outer)


class NamedRunner:
    """A runner that ``%autoawait`` calls by its name."""

    def __init__(self, run: Runner) -> None:
        self._run = run

    def __call__(self, coroutine: Any) -> Any:
        return self._run(coroutine)

    def __str__(self) -> str:
        return "asyncio"


def let_cells_run_loops() -> None:
    """A loop that only counts as running is no hindrance to run one, and does so again afterwards."""
    asyncio._get_running_loop = events._get_running_loop = _really_running  # type: ignore[attr-defined]
    asyncio._set_running_loop = events._set_running_loop = _set_or_return_to_cell  # type: ignore[attr-defined]


async def _running_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def _really_running() -> asyncio.AbstractEventLoop | None:
    loop = _get_running_loop()
    return loop if loop is None or loop.is_running() else None


def _set_or_return_to_cell(loop: asyncio.AbstractEventLoop | None) -> None:
    if loop is None and threading.current_thread() is _main:
        loop = _cell_loop
    _set_running_loop(loop)
