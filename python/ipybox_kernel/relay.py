"""What processes write to file descriptors 1 and 2, put in order and sent on by the zygote."""

import ctypes
import fcntl
import os
import select
import socket

from . import frames

#: One packet is at most a page; a pipe of one page has room for one packet.
PACKET = 4096

_libc = ctypes.CDLL(None, use_errno=True)
_SPLICE_F_NONBLOCK = 2


def output_pipe() -> tuple[int, int]:
    """A pipe that keeps writes apart (packet mode) and has room for one of them."""
    read_end, write_end = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, PACKET)
    # Only the reading end may be non-blocking: programs expect a blocking standard output.
    os.set_blocking(read_end, False)
    # The kernel, which is another user, may open it by name, as /dev/stdout.
    os.fchmod(write_end, 0o666)
    return read_end, write_end


class Relay:
    """Relays the two pipes of one kernel to its socket.

    A packet is taken out of its pipe only after it has been sent: a pipe that is empty is one with
    nothing on its way, which is how the kernel (``channel.py``) keeps its own output in order.
    Each pipe holds one packet, and edge-triggered events come in the order of the writes.
    """

    def __init__(self, sock: socket.socket, stdout: int, stderr: int) -> None:
        self._sock = sock
        self._kinds = {stdout: frames.STDOUT, stderr: frames.STDERR}
        self._waiting: list[int] = []
        self._last: bytes | None = None
        self._copy_out, self._copy_in = os.pipe2(os.O_DIRECT | os.O_CLOEXEC | os.O_NONBLOCK)

    @property
    def pipes(self) -> list[int]:
        return list(self._kinds)

    def on_written(self, pipe: int, poll: select.epoll) -> None:
        """An event of the pipe: it holds a packet."""
        self._waiting.append(pipe)
        if len(self._waiting) == 1:
            self._relay_waiting(poll)

    def on_writable(self, poll: select.epoll) -> None:
        """The socket takes frames again."""
        poll.modify(self._sock.fileno(), select.EPOLLRDHUP | select.EPOLLET)
        self._relay_waiting(poll)

    def finish(self, last: bytes, poll: select.epoll) -> None:
        """After the kernel's end: sends what is left in the pipes, then the last frame."""
        self._last = last
        self._waiting += self._kinds
        self._relay_waiting(poll)

    def close(self) -> None:
        for descriptor in (self._copy_in, self._copy_out):
            os.close(descriptor)

    def _relay_waiting(self, poll: select.epoll) -> None:
        while self._waiting and self._relay(self._waiting[0]):
            del self._waiting[0]
        if not self._waiting and self._last is not None and self._send(self._last):
            self._last = None
        if self._waiting or self._last is not None:
            poll.modify(self._sock.fileno(), select.EPOLLRDHUP | select.EPOLLOUT | select.EPOLLET)

    def _relay(self, pipe: int) -> bool:
        """Relays one packet; False when the socket is full, and the packet is still in its pipe."""
        if _libc.tee(pipe, self._copy_in, PACKET, _SPLICE_F_NONBLOCK) <= 0:
            return True  # empty: nothing to relay
        data = os.read(self._copy_out, PACKET)
        if not self._send(frames.frame(self._kinds[pipe], data, flags=frames.RAW)):
            return False
        # Not more: a program that has opened the pipe by name, as /dev/stdout, adds to the packet that waits.
        os.read(pipe, len(data))
        return True

    def _send(self, data: bytes) -> bool:
        try:
            self._sock.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            pass  # the agent has let go of this kernel
        return True
