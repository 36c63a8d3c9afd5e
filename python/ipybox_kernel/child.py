"""A kernel's process from the zygote's side: how it is watched, and how its end is told."""

import array
import contextlib
import os
import select
import signal
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
        with contextlib.ExitStack() as undo:  # descriptors may be used up at any of them
            self.control, self.far_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            undo.enter_context(self.control)
            undo.enter_context(self.far_control)
            out_read, self.out_write = _output_pipe(undo)
            err_read, self.err_write = _output_pipe(undo)
            self.relay = Relay(sock, out_read, err_read)
            undo.pop_all()
        self._ends_left = False
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
        if self._ends_left:
            return
        self._ends_left = True
        self.far_control.close()
        os.close(self.out_write)
        os.close(self.err_write)

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
        descriptors = array.array("i", [self.far_control.fileno(), self.out_write, self.err_write])
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)
        parent.control.sendmsg([kernel_id.encode()], [rights], socket.MSG_DONTWAIT)
        self.leave_ends()

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

    def end(self, poll: select.epoll) -> None:
        """Tells how the kernel ended, after all it has written.

        The process stays unreaped until the agent lets go of it: until then its pid can't name another.
        """
        self.exited = True
        exited = frames.frame(frames.EXITED, struct.pack("<i", self._status()))
        self.relay.finish(exited, poll)

    def close(self) -> None:
        """Lets go of everything. A process that has not quite ended yet is reaped as an orphan."""
        self.leave_ends()
        self.relay.close()
        self.sock.close()
        self.control.close()
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


def _output_pipe(undo: contextlib.ExitStack) -> tuple[int, int]:
    read_end, write_end = output_pipe()
    undo.callback(os.close, read_end)
    undo.callback(os.close, write_end)
    return read_end, write_end
