"""A process that waits to become a kernel: forked before anybody asks for one, so that who asks need not wait for it.

Until it has its order it is root, like the zygote, and runs nothing of the users'.
"""

import array
import contextlib
import dataclasses
import json
import os
import select
import signal
import socket
import traceback
from typing import TYPE_CHECKING, NoReturn

from .ends import Ends, has_ended
from .forking import receive
from .privileges import go_before_children, go_behind, prepare_to_drop
from .spawn import KernelSpec, become_kernel, leave_zygote, place_socket

if TYPE_CHECKING:
    from .kernel import Kernel

#: With an order: the way to the agent, and a file with what the kernel is to be.
_ORDER_DESCRIPTORS = 2
_LAST_WORDS = 4096


class Spares:
    """Keeps one process in advance, from the zygote's side."""

    def __init__(self, kernel: "Kernel", poll: select.epoll) -> None:
        self._kernel = kernel
        self._poll = poll
        self._waiting: Spare | None = None
        #: Whether another one is to be made when there is time.
        self._are_wanted = True

    @property
    def pid(self) -> int | None:
        """The process that waits, if one does."""
        return None if self._waiting is None else self._waiting.pid

    @property
    def lacks(self) -> bool:
        """Whether there is something to prepare."""
        return self._are_wanted and self._waiting is None

    def prepare(self) -> None:
        if not self.lacks:
            return
        try:
            self._waiting = Spare(self._kernel, ahead=True)
            self._poll.register(self._waiting.pidfd, select.EPOLLIN)
        except OSError:  # processes or descriptors are used up: who wants the next kernel is told
            self.drop()
            self._are_wanted = False

    def take(self) -> "Spare":
        """The process that waits, or else a new one."""
        spare = self._let_go()
        if spare is not None and has_ended(spare.pidfd):
            spare.close()
            spare = None
        spare = spare or Spare(self._kernel, ahead=False)
        self._are_wanted = True
        return spare

    def drop(self) -> None:
        """Ends the process that waits."""
        if (spare := self._let_go()) is not None:
            spare.close()

    def retire(self) -> None:
        """Kernels are not made by this zygote any more."""
        self._are_wanted = False
        self.drop()

    def ended(self, descriptor: int) -> bool:
        """Whether an event of this descriptor is the end of the process that waits. There is no other one until a kernel is
        asked for: whatever has ended it would end the next one, too."""
        if self._waiting is None or descriptor != self._waiting.pidfd:
            return False
        self.retire()
        return True

    def _let_go(self) -> "Spare | None":
        spare, self._waiting = self._waiting, None
        if spare is not None:
            with contextlib.suppress(FileNotFoundError):
                self._poll.unregister(spare.pidfd)
        return spare


class Spare:
    """One such process, from the zygote's side; `ahead` when nobody waits for it yet."""

    def __init__(self, kernel: "Kernel", ahead: bool) -> None:
        self.ends = Ends()
        try:
            self.pid = os.fork()
        except OSError:
            self.ends.close()
            raise
        if self.pid == 0:
            _wait(kernel, self.ends, ahead)
        self.ends.leave()
        try:
            self.pidfd = os.pidfd_open(self.pid)
        except OSError:
            os.kill(self.pid, signal.SIGKILL)  # nobody would watch it
            self.ends.close()
            raise

    def order(self, spec: KernelSpec, sock: socket.socket) -> None:
        """Tells it which kernel it is."""
        go_before_children(self.pid)  # from now on somebody waits for it
        file = os.memfd_create("spec")
        try:
            os.write(file, json.dumps(dataclasses.asdict(spec)).encode())
            descriptors = array.array("i", [sock.fileno(), file])
            self.ends.control.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)], socket.MSG_DONTWAIT)
        finally:
            os.close(file)

    def close(self) -> None:
        """Ends it, unless it has ended; the zygote reaps it as an orphan if it takes its time."""
        with contextlib.suppress(OSError):  # it has said nothing
            os.write(2, os.read(self.ends.err_read, _LAST_WORDS))
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        os.close(self.pidfd)
        self.ends.close()
        os.waitpid(self.pid, os.WNOHANG)


def _wait(kernel: "Kernel", ends: Ends, ahead: bool) -> NoReturn:
    """In the process itself: from its fork to its end."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        control, slots = leave_zygote(ends.far_control.detach(), ends.out_write, ends.err_write)
        if ahead:
            go_behind()
            kernel.touch()
        ruleset = prepare_to_drop()
        spec, sock = _receive_order(control)
        become_kernel(spec, ruleset)
        kernel.run(sock, control, slots)
        status = 0
    except BaseException:
        os.write(2, traceback.format_exc().encode("utf-8", "replace")[-4000:])
    finally:
        os._exit(status)


def _receive_order(control: socket.socket) -> tuple[KernelSpec, socket.socket]:
    _, (sock, file) = receive(control, _ORDER_DESCRIPTORS)
    with open(file, "rb") as content:
        content.seek(0)
        spec = KernelSpec(**json.load(content))
    return spec, place_socket(sock)
