"""A kernel's process from the zygote's side: how it is watched, and how its end is told."""

import array
import contextlib
import os
import select
import signal
import socket
import struct

from . import frames
from .ends import Ends
from .relay import Relay

_CREDENTIALS = struct.Struct("3i")


class Child:
    """A kernel: forked by the zygote, or about to be forked by another kernel (then it has no pid yet).

    ``sock`` is its way to the agent. ``control`` is the zygote's own way to it.
    """

    def __init__(self, sock: socket.socket, ends: Ends) -> None:
        self.sock = sock
        self._ends = ends
        self.relay = Relay(sock, ends.out_read, ends.err_read)
        self.pid = 0
        self.pidfd = -1
        self.exited = False
        self.released = False

    @property
    def control(self) -> socket.socket:
        return self._ends.control

    @property
    def descriptors(self) -> list[int]:
        pidfd = [] if self.pidfd < 0 else [self.pidfd]
        return [*pidfd, self.sock.fileno(), self.control.fileno(), *self.relay.pipes]

    def watch(self, poll: select.epoll) -> None:
        poll.register(self.sock.fileno(), select.EPOLLRDHUP | select.EPOLLET)
        for pipe in self.relay.pipes:
            poll.register(pipe, select.EPOLLIN | select.EPOLLET)

    def began(self, pid: int, pidfd: int, poll: select.epoll) -> None:
        """Tells the agent which process this is, before a line of a cell runs in it."""
        self.pid, self.pidfd = pid, pidfd
        poll.register(self.pidfd, select.EPOLLIN | select.EPOLLONESHOT)
        self.sock.send(frames.frame(frames.STARTED, struct.pack("<I", pid)))

    def order_fork(self, kernel_id: str, parent: "Child") -> None:
        """Hands the parent what the new kernel needs to come forward, but not yet its way to the agent."""
        self.control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        ends = self._ends
        descriptors = array.array("i", [ends.far_control.fileno(), ends.out_write, ends.err_write])
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)
        parent.control.sendmsg([kernel_id.encode()], [rights], socket.MSG_DONTWAIT)
        ends.leave()

    def claimed_pid(self) -> int:
        """The forked kernel has said who it is. Linux vouches for the pid, but not for whose child that is."""
        _, ancillary, _, _ = self.control.recvmsg(64, socket.CMSG_SPACE(_CREDENTIALS.size), socket.MSG_DONTWAIT)
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                return _CREDENTIALS.unpack(content)[0]
        raise ConnectionError("a forked kernel has not come forward")

    def hand_over(self) -> None:
        """Now the forked kernel may speak to the agent."""
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [self.sock.fileno()]))
        self.control.sendmsg([b"\0"], [rights], socket.MSG_DONTWAIT)

    def kill(self) -> None:
        """Ends the process and its group, unless it has ended. It is not reaped yet, so its pid names no other."""
        if self.pidfd < 0 or self.exited:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):  # its group is still to be made
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def give_up(self, pid: int, pidfd: int) -> None:
        """Ends a process that could not be made a kernel. Its connection stays, to tell why."""
        self.pid, self.pidfd = pid, pidfd
        self.kill()
        self._let_go()

    def end(self, poll: select.epoll) -> None:
        """Tells how the kernel ended, after all it has written.

        The process stays unreaped until the agent lets go of it: until then its pid can't name another.
        """
        self.exited = True
        exited = frames.frame(frames.EXITED, struct.pack("<i", self._status()))
        self.relay.finish(exited, poll)

    def close(self) -> None:
        """Lets go of everything. A process that has not quite ended yet is reaped as an orphan."""
        self.sock.close()
        self._let_go()

    def _let_go(self) -> None:
        self.relay.close()
        self._ends.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            try:
                os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                pass  # see `_status`

    def _status(self) -> int:
        try:
            info = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        except ChildProcessError:
            info = None  # reaped by a debugger of its own
        if info is None:
            return -9
        return info.si_status if info.si_code == os.CLD_EXITED else -info.si_status
