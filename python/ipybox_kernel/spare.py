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

from .ends import Ends
from .forking import receive
from .privileges import go_behind
from .spawn import KernelSpec, become_kernel, leave_zygote, place_socket

if TYPE_CHECKING:
    from .kernel import Kernel

#: With an order: the way to the agent, and a file with what the kernel is to be.
_ORDER_DESCRIPTORS = 2


class Spare:
    """The process from the zygote's side."""

    def __init__(self, kernel: "Kernel") -> None:
        self.ends = Ends()
        try:
            self.pid = os.fork()
        except OSError:
            self.ends.close()
            raise
        if self.pid == 0:
            _wait(kernel, self.ends)
        self.ends.leave()
        try:
            self.pidfd = os.pidfd_open(self.pid)
        except OSError:
            os.kill(self.pid, signal.SIGKILL)  # nobody would watch it
            self.ends.close()
            raise

    @property
    def ended(self) -> bool:
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(0))

    def order(self, spec: KernelSpec, sock: socket.socket) -> None:
        """Tells it whom it will be."""
        file = os.memfd_create("spec")
        try:
            os.write(file, json.dumps(dataclasses.asdict(spec)).encode())
            descriptors = array.array("i", [sock.fileno(), file])
            self.ends.control.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)], socket.MSG_DONTWAIT)
        finally:
            os.close(file)

    def close(self) -> None:
        """Ends it, unless it has ended; the zygote reaps it as an orphan if it takes its time."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        os.close(self.pidfd)
        self.ends.close()
        os.waitpid(self.pid, os.WNOHANG)


def _wait(kernel: "Kernel", ends: Ends) -> NoReturn:
    """In the process itself: from its fork to its end."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        control, slots = leave_zygote(ends.far_control.detach(), ends.out_write, ends.err_write)
        if not _has_order(control):
            go_behind()
            kernel.touch()
        spec, sock = _receive_order(control)
        become_kernel(spec)
        kernel.run(sock, control, slots)
        status = 0
    except BaseException:
        os.write(2, traceback.format_exc().encode("utf-8", "replace")[-4000:])
    finally:
        os._exit(status)


def _has_order(control: socket.socket) -> bool:
    return bool(select.select([control], [], [], 0)[0])


def _receive_order(control: socket.socket) -> tuple[KernelSpec, socket.socket]:
    _, (sock, file) = receive(control, _ORDER_DESCRIPTORS)
    with open(file, "rb") as content:
        content.seek(0)
        spec = KernelSpec(**json.load(content))
    return spec, place_socket(sock)
