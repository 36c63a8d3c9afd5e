"""The kernel: takes requests from its socket, one at a time, and runs them in IPython's shell."""

import asyncio
import os
import socket
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from IPython.core.interactiveshell import ExecutionResult

from . import frames, introspection, sources, variables
from .channel import Channel, current_execution
from .charts import show_charts
from .errors import describe_exception, exception_text, hide_own_frames, python_traceback
from .forking import describe_failure, drop_orders, fork_kernel
from .guard import ProcessGuard
from .host import Host
from .inbox import Inbox
from .interrupts import Interrupts
from .privileges import step_back
from .shell import ZMQInteractiveShell
from .stdin import Stdin
from .streams import OutStream, install_print
from .tables import show_tables
from .threads import inherit_execution

#: So long a cell may go on that was interrupted twice while it awaits: less than the agent waits before it ends the process.
_LAST_CHANCE_S = 0.5

Answer = tuple[dict, list[tuple[list, bytes]]]


class Kernel:
    def __init__(self, shell: ZMQInteractiveShell) -> None:
        self._shell = shell
        self._channel = Channel()
        self._inbox = Inbox(self._channel)
        self._host = Host(self._channel, self._inbox)
        self._stdin = Stdin(self._channel, self._inbox)
        self._interrupts = Interrupts(self._channel, self._inbox, outermost=Kernel.run.__code__)
        self._guard = ProcessGuard(shell, lambda: self._host.requires_shell_escape)
        self._loop: asyncio.AbstractEventLoop | None = None
        #: Loops of kernels that this one was forked from: closing one would reach into its owner's.
        self._foreign_loops: list[asyncio.AbstractEventLoop] = []
        self._handlers: dict[str, Callable[[int, dict], None]] = {
            "execute_request": self._execute,
            "fork_request": self._fork,
            "expose_request": self._expose,
        }
        self._questions: dict[str, Callable[[dict], Answer]] = {
            "complete_request": lambda request: (introspection.complete(shell, request), []),
            "inspect_request": lambda request: (introspection.inspect(shell, request), []),
            "is_complete_request": lambda request: (introspection.is_complete(shell, request), []),
            "get_request": lambda request: variables.get(shell, request),
            "set_request": lambda request: (variables.set_(shell, request), []),
            "variables_request": lambda _: (variables.describe_all(shell), []),
            "sources_request": lambda request: (sources.get_sources(request), []),
            "expose_request": lambda request: (self._expose_for(request), []),
        }

    @classmethod
    def warm(cls) -> "Kernel":
        """A kernel that is ready to be forked: IPython imported, the shell built, cells run."""
        shell = ZMQInteractiveShell.warm()
        show_charts(shell.display_formatter)
        kernel = cls(shell)
        kernel._install()
        return kernel

    def _install(self) -> None:
        """What cells use of the kernel: here, so that its processes need not do it each for itself."""
        self._host.install()
        self._stdin.install()
        self._shell.approve_command = self._host.approve_command
        self._shell.loop_runner = self._run_coroutine
        install_print()
        inherit_execution()
        _start_programs_as_python_does()

    def warm_further(self) -> Iterator[None]:
        """What the first cells of many users need, but not the first kernel of a container; in steps."""
        for cell in ("import asyncio", "%who", "1 / 0", "str?"):
            self._shell.rehearse(cell)
            yield
        self._shell.magics_manager.registry["ScriptMagics"]  # it is made when it is asked for

    def touch(self) -> None:
        """Done in a process that waits to be this kernel: what its first cell writes to is its own afterwards."""
        self._inbox.bind()
        self._host.bind()
        self._shell.touch()

    def run(self, sock: socket.socket, control: socket.socket, slots: list[int]) -> None:
        """Serves requests until the agent closes the connection. Called in the forked process."""
        self._bind(sock, control, slots)
        sys.stdout = sys.__stdout__ = OutStream(self._channel, frames.STDOUT, 1)  # type: ignore[misc, assignment]
        sys.stderr = sys.__stderr__ = OutStream(self._channel, frames.STDERR, 2)  # type: ignore[misc, assignment]
        self._shell.connect(self._channel)
        sys.stdin = sys.__stdin__ = open(0, closefd=False)  # type: ignore[misc]
        self._interrupts.install()
        step_back()
        self._say_ready()
        while True:
            self._wait_for_request()
            if (request := self._inbox.next_request()) is None:
                return
            execution, message = request
            current_execution.set(execution)
            handler = self._handlers.get(message["type"], self._answer)
            handler(execution, message)

    def _bind(self, sock: socket.socket, control: socket.socket, slots: list[int]) -> None:
        self._sock, self._control = sock, control
        self._channel.bind(sock, slots)
        self._inbox.bind()
        self._host.bind()

    def _say_ready(self) -> None:
        self._sock.send(frames.frame(frames.READY, b""))

    # --- requests -----------------------------------------------------------------------------

    def _wait_for_request(self) -> None:
        """Between cells, what a cell has left to the event loop goes on: tasks, timers, servers."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        waits = True  # once around in any case: cells that follow each other must not starve the tasks
        while waits:
            with self._inbox.stopping(loop):
                try:
                    loop.run_forever()
                except (KeyboardInterrupt, SystemExit):  # of a task: there is no cell that it could end
                    pass
                except BaseException:  # of a signal handler
                    if loop.is_running() or loop.is_closed():  # it can't be: something has broken it
                        return
            waits = not self._inbox.has_request

    def _answer(self, execution: int, request: dict) -> None:
        """A question about the kernel's state: it is answered in its turn, and prints nothing."""
        content: dict
        buffers: list[tuple[list, bytes]] = []
        try:
            self._channel.running = execution
            content, buffers = self._interrupts.call(execution, self._questions[request["type"]], request)
        except BaseException as error:  # a property or a __getattr__ of the user's may do anything
            name, text = type(error).__name__, exception_text(error)
            content = {"type": "error_reply", "status": "error", "ename": name, "evalue": text}
        self._reply(content, buffers)

    def _expose(self, execution: int, request: dict) -> None:
        """What the agent repeats to a new process is no execution's."""
        if execution == 0:
            self._expose_for(request)
            self._host.begin_anew(request["client"])
        else:
            self._answer(execution, request)

    def _expose_for(self, request: dict) -> dict:
        reply = self._host.expose(request)
        if self._host.requires_shell_escape:
            self._guard.install()
        return reply

    def _fork(self, execution: int, request: dict) -> None:
        """Forks this kernel as often as asked. Each new one goes on here, too, and takes its own requests."""
        try:
            wanted = set(request["kernels"])
            while wanted:
                forked = fork_kernel(self._control, wanted)
                if forked is not None:
                    self._go_on_as_fork(*forked)
                    return
        except OSError as error:
            drop_orders(self._control)
            content = {"type": "fork_reply", "status": "error", "ename": type(error).__name__, "evalue": describe_failure(error)}
        else:
            content = {"type": "fork_reply", "status": "ok"}
        self._channel.reply(execution, content)

    def _go_on_as_fork(self, sock: socket.socket, control: socket.socket, slots: list[int]) -> None:
        # Else the old objects would close the descriptors that the new ones have taken over.
        self._sock.detach()
        self._control.detach()
        self._bind(sock, control, slots)
        self._stdin.forget_askers()
        if self._loop is not None:
            self._foreign_loops.append(self._loop)
            self._loop = None
        self._say_ready()

    # --- cells --------------------------------------------------------------------------------

    def _execute(self, execution: int, request: dict) -> None:
        shell, channel = self._shell, self._channel
        shell.error = None
        shell.payloads.clear()
        self._stdin.allowed = request.get("allowStdin", False)
        show_tables(shell.display_formatter, request.get("tables"))
        error: dict | None = None
        try:
            channel.running = execution
            store_history = request.get("storeHistory", True)
            result = self._interrupts.call(execution, shell.run_cell, request["code"], store_history=store_history)
            error = shell.error
            if error is None and not result.success:
                error = self._unshown(result.error_before_exec or result.error_in_exec)
        except BaseException as raised:  # an interrupt between IPython's own handlers, or a broken hook
            error = error or shell.error or self._unshown(raised)
            _forget_frames(raised)
        if not channel.owned:
            os._exit(0 if error is None else 1)  # a process that the cell has forked ends with the cell; see also `showtraceback`
        reply: dict[str, Any] = {"type": "execute_reply", "execution_count": max(shell.execution_count - 1, 0)}
        if error is None:
            reply |= {"status": "ok", "payload": shell.payloads}
        else:
            if shell.error is None:
                channel.message({"type": "error", **error})
            reply |= {"status": "error", **error, "payload": shell.payloads}
        self._reply(reply)

    def _unshown(self, error: BaseException | None) -> dict:
        """The content of an error that IPython has not shown by itself, or as Python does: of a group."""
        if error is None:
            return {"ename": "Error", "evalue": "the cell failed", "traceback": ["Error: the cell failed"], "frames": []}
        hide_own_frames(error)
        return describe_exception(type(error), error, python_traceback(error), self._shell.compile)

    def _reply(self, reply: dict, buffers: list[tuple[list, bytes]] | None = None) -> None:
        """Sends the last message of an execution; from here on an interrupt has nothing to end."""
        execution, self._channel.running = self._channel.running, 0
        self._inbox.end_questions(execution)
        self._channel.reply(execution, reply, buffers)

    def _run_coroutine(self, coroutine: Any) -> Any:
        """Runs a cell with top-level ``await``. An interrupt cancels it, so that it can clean up."""
        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        loop, task = self._loop, None
        try:
            with self._channel.uninterrupted():  # else it might run although nobody knows of it
                task = loop.create_task(coroutine)
            result = loop.run_until_complete(task)
            if not _has_shown_error(result):
                self._interrupts.raise_due()
            return result
        except KeyboardInterrupt:
            if task is None:
                coroutine.close()
            if task is None or task.done():
                raise
        # Not within the handler of an exception: what the cell raises now would come as its consequence.
        return self._cancel(loop, task)

    def _cancel(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task) -> Any:
        """Gives the task's result if that is an error; all else ends with the interrupt.

        A second interrupt cancels the clean-up, too. Who does not end then is left to the loop.
        """
        self._shell.is_interrupted = True
        for limit in (None, _LAST_CHANCE_S):
            task.cancel()
            try:
                loop.run_until_complete(asyncio.wait([task], timeout=limit))
                break
            except KeyboardInterrupt:
                pass
        if task.done() and not task.cancelled() and _has_shown_error(result := task.result()):
            return result
        raise KeyboardInterrupt


def _has_shown_error(result: Any) -> bool:
    return isinstance(result, ExecutionResult) and not result.success


def _forget_frames(error: BaseException) -> None:
    """Drops what IPython's own frames still hold, so that it does not warn of it in the next cell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traceback.clear_frames(error.__traceback__)


def _start_programs_as_python_does() -> None:
    """Python's own children get its flags; those of the zygote, which keep the environment from it, are not for them."""
    flags = subprocess._args_from_interpreter_flags  # type: ignore[attr-defined]
    subprocess._args_from_interpreter_flags = lambda: [flag for flag in flags() if flag not in ("-I", "-S")]  # type: ignore[attr-defined]
