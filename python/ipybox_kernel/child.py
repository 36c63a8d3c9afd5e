"""A kernel's process from the zygote's side: how it is watched, and how its end is told."""

import array
import os
import select
import socket
import struct

from . import frames
from .relay import Relay, output_pipe

_CREDENTIALS = struct.Struct("3i")


class Child:
    """A kernel: forked by the zygote, or about to be forked by another kernel (then it has no pid yet).

    ``sock`` is its way to the agent. ``control`` is the zygote's own way to it, for live forks alone.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.control, self.far_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._out_read, self.out_write = output_pipe()
        self._err_read, self.err_write = output_pipe()
        self.relay = Relay(sock, self._out_read, self._err_read)
        self.pid = 0
        self.pidfd = -1
        self.exited = False
        self.released = False

    @property
    def descriptors(self) -> list[int]:
        pidfd = [] if self.pidfd < 0 else [self.pidfd]
        return [*pidfd, self.sock.fileno(), self.control.fileno(), *self.relay.pipes]

    def leave_ends(self) -> None:
        """Closes what only the kernel itself needs."""
        self.far_control.close()
        os.close(self.out_write)
        os.close(self.err_write)

    def watch(self, poll: select.epoll) -> None:
        poll.register(self.sock.fileno(), select.EPOLLRDHUP | select.EPOLLET)
        for pipe in self.relay.pipes:
            poll.register(pipe, select.EPOLLIN | select.EPOLLET)

    def began(self, pid: int, poll: select.epoll) -> None:
        """Tells the agent which process this is, before a line of a cell runs in it."""
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        poll.register(self.pidfd, select.EPOLLIN | select.EPOLLONESHOT)
        self.sock.send(frames.frame(frames.STARTED, struct.pack("<I", pid)))

    def order_fork(self, kernel_id: str, parent: "Child") -> None:
        """Hands the parent what the new kernel needs to come forward, but not yet its way to the agent."""
        self.control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        descriptors = array.array("i", [self.far_control.fileno(), self.out_write, self.err_write])
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)
        parent.control.sendmsg([kernel_id.encode()], [rights], socket.MSG_DONTWAIT)
        self.leave_ends()

    def come_forward(self, poll: select.epoll) -> None:
        """The forked kernel has said who it is; Linux vouches for its pid. Now it may speak to the agent."""
        _, ancillary, _, _ = self.control.recvmsg(64, socket.CMSG_SPACE(_CREDENTIALS.size), socket.MSG_DONTWAIT)
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                pid, _, _ = _CREDENTIALS.unpack(content)
                self.began(pid, poll)
                rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [self.sock.fileno()]))
                self.control.sendmsg([b"\0"], [rights], socket.MSG_DONTWAIT)
                return
        raise ConnectionError("a forked kernel has not come forward")

    def end(self, poll: select.epoll) -> None:
        """Tells how the kernel ended, after all it has written.

        The process stays unreaped until the agent lets go of it: until then its pid can't name another.
        """
        self.exited = True
        exited = frames.frame(frames.EXITED, struct.pack("<i", self._status()))
        self.relay.finish(exited, poll)

    def close(self) -> None:
        self.relay.close()
        self.sock.close()
        self.control.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            try:
                os.waitpid(self.pid, 0)
            except ChildProcessError:
                pass  # see `_status`

    def _status(self) -> int:
        try:
            info = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:  # forked by a kernel, and ended before it had become the zygote's child
            return -9
        assert info is not None
        return info.si_status if info.si_code == os.CLD_EXITED else -info.si_status
