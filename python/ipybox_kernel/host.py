"""Functions of the program that runs this kernel, callable from cells.

``call`` and ``call_async`` are what generated modules (``host``, ``host.aio``, packages of tools) are made of.
"""

import contextlib
import itertools
import secrets
from collections import deque
from typing import Any, NoReturn

from . import variables
from .channel import Channel, current_execution
from .host_modules import HostModules
from .inbox import Inbox, TaskWaiter, ThreadWaiter, Waiter

#: Replies of this size are kept by the program until it knows that they have arrived: it is told at once.
_LARGE_BYTES = 64 * 1024

#: The function that is asked before a shell command is run.
SHELL = "!"

_REPLY = "host_call_reply"
_LEFT = "the program that has exposed it has disconnected"


class HostError(RuntimeError):
    """A host function has failed. ``name`` is the class of the error in the host program."""

    def __init__(self, message: str, name: str = "Error") -> None:
        super().__init__(message)
        self.name = name


class HostInputError(HostError, ValueError):
    """The arguments of a call don't fit the function's schema."""


class HostTimeoutError(HostError, TimeoutError):
    """A host function has taken longer than its time limit."""


class HostUnavailableError(HostError):
    """Nobody is there to answer: the function is not exposed (any more), or its program has disconnected."""


class ApprovalRejected(HostError):
    """The host program, or its user, has rejected the call."""


_ERRORS = {
    "failed": HostError,
    "invalid": HostInputError,
    "timeout": HostTimeoutError,
    "unavailable": HostUnavailableError,
    "rejected": ApprovalRejected,
}

# Generated modules and tracebacks show them under the name by which they can be imported.
for _error in _ERRORS.values():
    _error.__module__ = "host"


class _Exposed:
    """What one client has exposed."""

    def __init__(self, request: dict) -> None:
        self.functions = frozenset(request["functions"])
        self.modules: dict[str, str] = request["modules"]
        self.requires_shell_escape: bool = request["requireShellEscape"]
        #: Whether the client can answer.
        self.connected = True


class Host:
    """Calls functions of the clients, whichever has exposed them last."""

    def __init__(self, channel: Channel, inbox: Inbox) -> None:
        self._channel = channel
        self._inbox = inbox
        self._modules = HostModules()
        self._exposed: dict[str, _Exposed] = {}
        inbox.at_once["client_left"] = lambda message: self._leave(message["client"])
        inbox.at_once["host_calls_request"] = lambda message: self._repeat(message["client"])
        self.bind()

    def bind(self) -> None:
        """Begins anew: a kernel that was just forked has no open calls, and its client has yet to expose what it has."""
        # No two processes of a kernel give the same numbers: a late answer must not be taken for another's.
        self._numbers = itertools.count(secrets.randbits(48))
        self._open: dict[int, tuple[str, dict, list[tuple[list, bytes]], int]] = {}
        #: Numbers of calls that are done with, which no client has been told yet.
        self._done: deque[int] = deque()
        for exposed in self._exposed.values():
            exposed.connected = False

    def install(self) -> None:
        global _host
        _host = self

    # --- what cells may do --------------------------------------------------------------------

    @property
    def requires_shell_escape(self) -> bool:
        return any(exposed.requires_shell_escape for exposed in self._exposed.values())

    def approve_command(self, command: str, interpreter: str | None = None) -> str:
        """Asks before a shell command is run, if a client wants that. Gives the command that may be."""
        if not any(SHELL in exposed.functions for exposed in self._exposed.values()):
            return command
        request = {"command": command} if interpreter is None else {"command": command, "interpreter": interpreter}
        approved = self.call(SHELL, request)
        if not isinstance(approved, str):
            raise TypeError("a shell command must be a text")
        return approved

    # --- what is exposed ----------------------------------------------------------------------

    def expose(self, request: dict) -> dict:
        """A client tells all that it exposes, in place of what it has exposed before. Gives the reply's content."""
        client = request["client"]
        gone = [other for other, exposed in self._exposed.items() if other == client or not exposed.connected]
        for other in gone:
            del self._exposed[other]
        self._exposed[client] = _Exposed(request)
        self._modules.replace({name: source for exposed in self._exposed.values() for name, source in exposed.modules.items()})
        return {"type": "expose_reply", "status": "ok"}

    def begin_anew(self, client: str) -> None:
        """The process is new: the client learns that no call of its is open any more."""
        self._channel.call({"type": "host_call_done", "client": client, "done": [], "open": []})

    def _leave(self, client: str) -> None:
        """The client does not come back: what waits for it fails."""
        exposed = self._exposed.get(client)
        if exposed is None:
            return
        exposed.connected = False
        for number, (other, content, _, _) in list(self._open.items()):
            if other == client:
                self._inbox.settle(_REPLY, number, _unavailable(content["name"], _LEFT))

    def _repeat(self, client: str) -> None:
        """The client may have missed messages."""
        calls = [(number, call) for number, call in list(self._open.items()) if call[0] == client]
        self._channel.call({"type": "host_call_done", "client": client, "done": [], "open": [number for number, _ in calls]})
        for _, (_, content, buffers, execution) in calls:
            token = current_execution.set(execution)
            try:
                self._channel.call({**content, "done": []}, buffers)
            finally:
                current_execution.reset(token)

    # --- calls --------------------------------------------------------------------------------

    def call(self, name: str, value: Any) -> Any:
        client = self._client(name)
        encoded, buffers = _encode(name, value)
        number = next(self._numbers)
        waiter = ThreadWaiter(_REPLY, number, self._execution())
        try:
            self._begin(client, {"name": name, "value": encoded}, buffers, waiter)
            return _outcome(self._inbox.wait(waiter))
        finally:
            self._finish(client, number, waiter)

    async def call_async(self, name: str, value: Any) -> Any:
        client = self._client(name)
        encoded, buffers = _encode(name, value)
        number = next(self._numbers)
        waiter = TaskWaiter(_REPLY, number, self._execution())
        try:
            self._begin(client, {"name": name, "value": encoded}, buffers, waiter)
            return _outcome(await self._inbox.wait_async(waiter))
        finally:
            self._finish(client, number, waiter)

    def _client(self, name: str) -> str:
        if not self._channel.owned:
            raise _unavailable(name, "a process that a cell has forked has no connection to it")
        for client, exposed in reversed(self._exposed.items()):
            if name in exposed.functions:
                if exposed.connected:
                    return client
                raise _unavailable(name, _LEFT)
        raise _unavailable(name, "no program exposes it")

    def _begin(self, client: str, content: dict, buffers: list[tuple[list, bytes]], waiter: Waiter) -> None:
        _, number = waiter.key
        content = {"type": "host_call_request", "client": client, "number": number, **content}
        self._inbox.add(waiter)
        self._open[number] = (client, content, buffers, waiter.execution)
        exposed = self._exposed.get(client)
        if exposed is None or not exposed.connected:  # it has left meanwhile
            raise _unavailable(content["name"], _LEFT)
        self._channel.call({**content, "done": self._take_done()}, buffers)

    def _finish(self, client: str, number: int, waiter: Waiter) -> None:
        """The call has its answer, or is given up."""
        self._inbox.forget(waiter)
        if self._open.pop(number, None) is None or not self._channel.owned:
            return
        reply = waiter.reply
        if not isinstance(reply, dict):
            self._channel.call({"type": "host_call_cancel", "client": client, "number": number})
        elif reply["bytes"] > _LARGE_BYTES:
            self._channel.call({"type": "host_call_done", "client": client, "done": [number]})
        else:
            self._done.append(number)

    def _take_done(self) -> list[int]:
        done = []
        with contextlib.suppress(IndexError):  # several threads may take
            while True:
                done.append(self._done.popleft())
        return done

    def _execution(self) -> int:
        return current_execution.get() or self._channel.running


_host: Host | None = None


def call(name: str, arguments: Any) -> Any:
    """Calls a host function, and gives its value.

    Raises HostError and what derives from it: HostInputError, HostTimeoutError, HostUnavailableError,
    ApprovalRejected. TypeError when an argument has no counterpart in the host program.
    """
    return _installed(name).call(name, arguments)


async def call_async(name: str, arguments: Any) -> Any:
    """As ``call``, without holding up the event loop. Cancelling the task cancels the call."""
    return await _installed(name).call_async(name, arguments)


def _installed(name: str) -> Host:
    if _host is None:
        raise _unavailable(name, "this is no kernel")
    return _host


def _unavailable(name: str, why: str) -> HostUnavailableError:
    what = "the shell command can't be approved" if name == SHELL else f"{name} can't be called"
    return HostUnavailableError(f"{what}: {why}", "HostUnavailableError")


def _encode(name: str, value: Any) -> tuple[Any, list[tuple[list, bytes]]]:
    try:
        return variables.encode(value, ["value"])
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def _outcome(reply: dict) -> Any:
    if "error" not in reply:
        return variables.decode(reply.get("value"))
    _raise(reply["error"])


def _raise(error: dict) -> NoReturn:
    raise _ERRORS.get(error["kind"], HostError)(error["message"], error["name"])


def given(arguments: dict) -> dict:
    """The arguments that are not None: a parameter that may be left out has that as its default."""
    return {name: value for name, value in arguments.items() if value is not None}
