"""``input()`` and ``getpass()``: asked of the client, which answers while the cell waits."""

import builtins
import getpass
import itertools
import threading
from typing import Any

from IPython.core.error import StdinNotImplementedError

from .channel import Channel, current_execution
from .inbox import Inbox, ThreadWaiter

_ENDED = "the cell that asked has ended"


class Stdin:
    """Asks the client for a line."""

    def __init__(self, channel: Channel, inbox: Inbox) -> None:
        self._channel = channel
        self._inbox = inbox
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
        if self._channel.owned and execution != self._channel.running:
            raise EOFError(_ENDED)
        if not self.allowed or not self._channel.owned:
            raise StdinNotImplementedError(
                "input() was called, but nobody answers: the program that runs this cell has given no onInput"
            )
        with self._asking:
            number = next(self._numbers)
            waiter = ThreadWaiter("input_reply", number, execution)
            self._inbox.add(waiter)
            try:
                if execution != self._channel.running:
                    raise EOFError(_ENDED)
                self._channel.message({"type": "input_request", "prompt": prompt, "password": password, "number": number})
                reply = self._inbox.wait(waiter)
            finally:
                self._inbox.forget(waiter)
        if "error" in reply:
            raise EOFError(reply["error"])
        return reply["value"]
