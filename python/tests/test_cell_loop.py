"""asyncio's loop in a cell without await."""

import asyncio
import threading
from asyncio import events
from collections.abc import Iterator
from typing import Any

import pytest

from ipybox_kernel.cell_loop import CellLoop, NamedRunner


class Kernel:
    """Runs coroutines on one loop, which it makes when it has to."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None

    def run(self, coroutine: Any) -> Any:
        if self.loop is None:
            self.loop = asyncio.new_event_loop()
        return self.loop.run_until_complete(coroutine)


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    kernel = Kernel()
    yield kernel
    if kernel.loop is not None:
        kernel.loop.close()


@pytest.fixture
def cell_loop(monkeypatch: pytest.MonkeyPatch) -> CellLoop:
    for module in (asyncio, events):
        for name in ("get_running_loop", "get_event_loop"):
            monkeypatch.setattr(module, name, getattr(module, name))
    policy = events.BaseDefaultEventLoopPolicy
    monkeypatch.setattr(policy, "get_event_loop", policy.get_event_loop)
    loop = CellLoop()
    loop.install()
    return loop


async def eight() -> int:
    return 8


def test_a_task_is_made_in_a_cell_and_runs_when_the_loop_does(cell_loop: CellLoop, kernel: Kernel) -> None:
    # verifies: EXEC-06
    with cell_loop.offered(kernel.run):
        task = asyncio.create_task(eight())
        future = asyncio.Future[int]()
        assert asyncio.get_event_loop() is asyncio.get_running_loop() is kernel.loop is future.get_loop()
    assert not task.done()
    future.set_result(9)
    assert kernel.run(asyncio.gather(task, future)) == [8, 9]


def test_a_cell_that_asks_for_no_loop_makes_none(cell_loop: CellLoop, kernel: Kernel) -> None:
    with cell_loop.offered(kernel.run):
        pass
    assert kernel.loop is None


def test_asyncio_run_works_before_and_after(cell_loop: CellLoop, kernel: Kernel) -> None:
    # verifies: EXEC-06
    with cell_loop.offered(kernel.run):
        assert asyncio.run(eight()) == 8
        task = asyncio.create_task(eight())
        assert asyncio.run(eight()) == 8
        assert asyncio.get_event_loop() is kernel.loop
    assert kernel.run(task) == 8


def test_outside_of_a_cell_and_in_threads_there_is_none(cell_loop: CellLoop, kernel: Kernel) -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
    errors: list[str] = []

    def ask() -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError as error:
            errors.append(str(error))

    with cell_loop.offered(kernel.run):
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert errors == ["no running event loop"]


def test_a_cell_that_a_cell_runs_leaves_the_loop(cell_loop: CellLoop, kernel: Kernel) -> None:
    with cell_loop.offered(kernel.run):
        with cell_loop.offered(kernel.run):
            asyncio.get_running_loop()
        assert asyncio.get_running_loop() is kernel.loop


def test_a_loop_that_was_closed_is_replaced(cell_loop: CellLoop, kernel: Kernel) -> None:
    with cell_loop.offered(kernel.run):
        asyncio.get_running_loop().close()
        kernel.loop = None
        assert not asyncio.get_running_loop().is_closed()


def test_autoawait_calls_the_runner_by_its_name(kernel: Kernel) -> None:
    runner = NamedRunner(kernel.run)
    assert str(runner) == "asyncio"
    assert runner(eight()) == 8
