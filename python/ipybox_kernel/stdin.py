"""``input()`` and ``getpass()``: asked of the client, which answers while the cell waits."""

import builtins
import getpass
import itertools
import select
import threading
from collections.abc import Callable
from typing import Any

from IPython.core.error import StdinNotImplementedError

from .channel import Channel, current_execution

_POLL_S = 0.05


class Stdin:
    """Asks the client for a line. ``receive`` reads one request, within an execution."""

    def __init__(self, channel: Channel, receive: Callable[[int], tuple[int, dict] | None]) -> None:
        self._channel = channel
        self._receive = receive
        self._numbers = itertools.count(1)
        self._asking = threading.Lock()
        #: Whether somebody answers in the running cell.
        self.allowed = False

    def install(self) -> None:
        builtins.input = self.input
        getpass.getpass = self.getpass

    def forget_askers(self) -> None:
        """In a kernel that was just forked: threads that were asking are not in it."""
        self._asking = threading.Lock()

    def input(self, prompt: Any = "", /) -> str:
        """Like Python's own; the prompt goes to whoever answers, not to standard output."""
        return self._ask(str(prompt), password=False)

    def getpass(self, prompt: str = "Password: ", stream: Any = None, **_: Any) -> str:
        return self._ask(prompt, password=True)

    def _ask(self, prompt: str, password: bool) -> str:
        execution = current_execution.get()
        if not self.allowed or not self._channel.owned or execution != self._channel.running:
            raise StdinNotImplementedError(
                "input() was called, but nobody answers: the program that runs this cell has given no onInput"
            )
        with self._asking:
            number = next(self._numbers)
            self._channel.message({"type": "input_request", "prompt": prompt, "password": password, "number": number})
            while True:
                reply = self._next_request(execution)
                if reply["type"] == "input_reply" and reply["number"] == number:
                    break
        if "error" in reply:
            raise EOFError(reply["error"])
        return reply["value"]

    def _next_request(self, execution: int) -> dict:
        """While a cell runs, the agent sends nothing but replies. A thread must not outwait its cell."""
        while not select.select([self._channel.fileno()], [], [], _POLL_S)[0]:
            if self._channel.running != execution:
                raise EOFError("the cell that asked has ended")
        request = self._receive(execution)
        if request is None:
            raise EOFError("the kernel is about to end")
        return request[1]
