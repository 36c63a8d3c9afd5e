"""What lies between the zygote and a kernel's process: their control socket, the pipes of its output, and its pidfd."""

import contextlib
import os
import select
import socket

from .relay import output_pipe


class Ends:
    """All ends of the three, until the far ones, which are the process's, are left to it."""

    def __init__(self) -> None:
        with contextlib.ExitStack() as undo:  # descriptors may be used up at any of them
            self.control, self.far_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            undo.enter_context(self.control)
            undo.enter_context(self.far_control)
            self.out_read, self.out_write = _output_pipe(undo)
            self.err_read, self.err_write = _output_pipe(undo)
            undo.pop_all()
        self._left = False

    def leave(self) -> None:
        """Closes what only the process itself needs."""
        if self._left:
            return
        self._left = True
        self.far_control.close()
        os.close(self.out_write)
        os.close(self.err_write)

    def close(self) -> None:
        self.leave()
        self.control.close()
        os.close(self.out_read)
        os.close(self.err_read)


def has_ended(pidfd: int) -> bool:
    """Whether a process has ended, whoever has reaped it."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def _output_pipe(undo: contextlib.ExitStack) -> tuple[int, int]:
    read_end, write_end = output_pipe()
    undo.callback(os.close, read_end)
    undo.callback(os.close, write_end)
    return read_end, write_end
