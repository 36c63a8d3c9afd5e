"""Interrupts at each line that runs for a cell, of Python's own, IPython's and the kernel's."""

import itertools
import json
import os
import select
import signal
import socket
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from conftest import Wire

from ipybox_kernel import frames
from ipybox_kernel import kernel as kernel_module
from ipybox_kernel import shell as shell_module
from ipybox_kernel.kernel import Kernel

PATIENCE_S = 10.0


class Interrupter:
    """In the kernel's process: sends it SIGINT when so many lines have run since a cell began."""

    def __init__(self, kernel: Kernel, report: socket.socket) -> None:
        self._execute = kernel._execute
        self._interrupts = kernel._interrupts
        self._on_signal = kernel._interrupts._on_signal
        self._report = report
        self._lines = self._at = 0
        kernel._handlers["execute_request"] = self.execute
        kernel._interrupts._on_signal = self.on_signal  # type: ignore[method-assign, assignment]

    def execute(self, execution: int, request: dict) -> None:
        self._interrupts._came_early = False
        self._lines, self._at = 0, request["interrupt_at"]
        sys.settrace(self._trace)
        self._execute(execution, request)
        sys.settrace(None)
        self._report.send(json.dumps([self._lines >= self._at, self._interrupts._came_early]).encode())

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        is_own = frame is not None and frame.f_code is Interrupter._trace.__code__
        self._on_signal(number, frame.f_back if frame is not None and is_own else frame)

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        self._lines += event in ("call", "line")
        if self._lines == self._at:
            sys.settrace(None)
            os.kill(os.getpid(), signal.SIGINT)
        return self._trace


class InterruptedKernel:
    """A kernel in a process of its own, seen from the agent."""

    def __init__(self, ipython_dir: Path) -> None:
        self._ipython_dir = ipython_dir
        self._wire = Wire()
        self._control, self._far_control = socket.socketpair()
        self._reports, self._report = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._pid = os.fork()
        if self._pid == 0:
            try:
                sys.unraisablehook = sys.__unraisablehook__  # not pytest's
                warnings.resetwarnings()
                self._be_kernel()
            finally:
                os._exit(1)
        self._wire.kernel.close()
        self._executions = itertools.count(1)
        self._until(lambda kind, _: kind == frames.READY)

    def _be_kernel(self) -> None:
        shell_module.IPYTHON_DIR = str(self._ipython_dir)
        kernel_module.step_back = lambda: None  # it has no rights to give up
        kernel = Kernel.warm()
        Interrupter(kernel, self._report)
        kernel.run(self._wire.kernel, self._control, self._wire.slots)

    def execute(self, code: str, interrupt_at: int = 0) -> list[tuple[int, Any]]:
        """Kind, and content or payload, of all that came for it."""
        execution = next(self._executions)
        request = json.dumps({"type": "execute_request", "code": code, "interrupt_at": interrupt_at})
        self._wire.agent.setblocking(True)
        self._wire.agent.sendall(frames.frame(frames.REQUEST, request.encode(), execution))
        found = self._until(lambda kind, flags: kind == frames.MESSAGE and bool(flags & frames.LAST))
        self.was_interrupted, self.came_too_late = json.loads(self._reports.recv(100))
        return found

    def _until(self, is_last: Any) -> list[tuple[int, Any]]:
        found = []
        while True:
            for kind, flags, _, payload in self._wire.frames():
                found.append((kind, frames.decode_message(payload) if kind == frames.MESSAGE else payload))
                if is_last(kind, flags):
                    return found
            readable = select.select([self._wire.agent], [], [], PATIENCE_S)[0]
            if not readable or not self._wire.agent.recv(1, socket.MSG_PEEK):
                raise EOFError(f"the kernel {'has ended' if readable else 'hangs'}; it has sent {found}")

    def close(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        self._wire.close()
        for end in (self._control, self._far_control, self._reports, self._report):
            end.close()


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[InterruptedKernel]:
    kernel = InterruptedKernel(tmp_path)
    yield kernel
    kernel.close()


SET_UP = """
import asyncio
ran_in = []
def note():
    ran_in.append(get_ipython().channel.running)
class A:
    def __del__(self): sum(map(int, "123"))
"""

#: A cell, every which line it is interrupted at, and its own error.
CELLS = [
    ("x = 1", 1, None),
    ("print('a', 1)\n1 + 1", 3, None),
    ("1 / 0", 23, "ZeroDivisionError"),
    ("note()\nawait asyncio.sleep(0.0005)\nnote()", 3, None),
    ("await asyncio.sleep(0)\n1 / 0", 23, "ZeroDivisionError"),
    ("%timeit -n1 -r1 1", 29, None),
    ("x = !echo a", 7, None),
    ("for _ in range(9): A()", 2, None),
    ("for _ in range(2):\n    asyncio.get_running_loop().call_soon(lambda _=A(): 1)\n    await asyncio.sleep(0)", 3, None),
]


@pytest.mark.parametrize(("cell", "step", "own_error"), CELLS)
def test_an_interrupt_at_any_line_ends_the_cell_or_is_asked_for_again(
    kernel: InterruptedKernel, cell: str, step: int, own_error: str | None
) -> None:
    # verifies: TIME-02
    kernel.execute(SET_UP)
    outcomes = set()
    for at in itertools.count(1, step):
        *before, (_, reply) = kernel.execute(cell, interrupt_at=at)
        if not kernel.was_interrupted:
            break
        shown = [content["ename"] for kind, content in before if kind == frames.MESSAGE and content["type"] == "error"]
        if kernel.came_too_late or any(kind == frames.BEGUN for kind, _ in before):
            outcomes.add("not now")
            assert (reply.get("ename"), shown) == (own_error, [own_error] if own_error else []), at
        else:
            outcomes.add("ended")
            assert reply.get("ename") in ("KeyboardInterrupt", own_error or "KeyboardInterrupt"), (at, before)
            # What comes when the cell's own error was shown is shown as well.
            assert shown in ([own_error], ["KeyboardInterrupt"], [own_error, "KeyboardInterrupt"]), (at, before)
            assert shown[-1] == reply["ename"], (at, before)
    assert outcomes == {"not now", "ended"}
    *_, (_, reply) = kernel.execute("assert 0 not in ran_in")
    assert reply["status"] == "ok"


TICKER = """
import asyncio
ticks = 0
async def tick():
    global ticks
    while True:
        await asyncio.sleep(0)
        ticks += 1
ticker = asyncio.create_task(tick())
"""

#: The task goes on, or it is the one that was interrupted.
CHECK = """
before = ticks
for _ in range(5): await asyncio.sleep(0)
if ticker.done():
    assert isinstance(ticker.exception(), KeyboardInterrupt)
    ticker = asyncio.create_task(tick())
else:
    assert ticks > before, ticker
"""


def test_an_interrupt_of_the_event_loop_leaves_the_other_tasks(kernel: InterruptedKernel) -> None:
    # verifies: TIME-02
    kernel.execute(TICKER)
    for at in itertools.count(1, 4):
        *_, (_, reply) = kernel.execute("await asyncio.sleep(0.0003)", interrupt_at=at)
        if not kernel.was_interrupted:
            break
        assert kernel.came_too_late or reply.get("ename") in ("KeyboardInterrupt", None), (at, reply)
        *_, (_, reply) = kernel.execute(CHECK)
        assert reply["status"] == "ok", (at, reply)


def test_the_loop_goes_on_after_an_error_of_a_signal_handler(kernel: InterruptedKernel) -> None:
    # verifies: KERN-12
    kernel.execute(TICKER.replace("sleep(0)", "sleep(0.01)"))
    kernel.execute(
        "import signal, time\ndef fail(*_): raise error\nsignal.signal(signal.SIGALRM, fail)\nclass Odd(BaseException): pass"
    )
    for error in ("ValueError", "Odd"):
        kernel.execute(f"error = {error}\nsignal.setitimer(signal.ITIMER_REAL, 0.05)")
        time.sleep(0.3)
        kernel.execute("before = ticks")
        time.sleep(0.2)
        *_, (_, reply) = kernel.execute("assert ticks > before + 3, (before, ticks)")
        assert reply["status"] == "ok", reply


def test_no_command_outlives_the_error_of_a_signal_handler(kernel: InterruptedKernel) -> None:
    # verifies: KERN-12
    kernel.execute("import os, signal\ndef fail(*_): raise ValueError\nsignal.signal(signal.SIGALRM, fail)")
    for command in ("x = !sleep 777", "!sleep 777"):
        *_, (_, reply) = kernel.execute(f"signal.setitimer(signal.ITIMER_REAL, 0.2)\n{command}")
        assert reply["ename"] == "ValueError"
        *_, (_, reply) = kernel.execute("assert open(f'/proc/self/task/{os.getpid()}/children').read() == ''")
        assert reply["status"] == "ok"
