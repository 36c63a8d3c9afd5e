"""A file worker's process: what it becomes after its fork from the zygote, and how the zygote watches it."""

import os
import select
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

from ..privileges import drop_privileges, prepare_to_drop
from ..spawn import KernelSpec
from . import content, operations, tree, watch
from .channel import BEAT, REPLY, Disconnected, FileChannel

_OPERATIONS: dict[str, Callable[[FileChannel, dict[str, Any]], dict[str, Any]]] = {
    "stat": operations.stat_,
    "list": operations.list_,
    "mkdir": operations.mkdir,
    "rename": operations.rename,
    "remove": operations.remove,
    "read": content.read,
    "write": content.write,
    "pack": tree.pack,
    "unpack": tree.unpack,
    "watch": watch.watch,
}


class FileWorker:
    """A file worker from the zygote's side. It is told to stop when the agent lets go of its connection."""

    def __init__(self, pid: int, sock: socket.socket) -> None:
        self.pid = pid
        self._sock = sock
        self._pidfd = os.pidfd_open(pid)

    @property
    def descriptors(self) -> list[int]:
        return [self._pidfd, self._sock.fileno()]

    def watch(self, poll: select.epoll) -> None:
        poll.register(self._pidfd, select.EPOLLIN)
        poll.register(self._sock.fileno(), select.EPOLLRDHUP | select.EPOLLET)

    def ended(self, descriptor: int) -> bool:
        """What has happened to one of the descriptors; whether the process has ended."""
        if descriptor != self._pidfd:
            signal.pidfd_send_signal(self._pidfd, signal.SIGTERM)
            return False
        os.waitpid(self.pid, 0)
        return True

    def close(self, poll: select.epoll) -> None:
        for descriptor in self.descriptors:
            poll.unregister(descriptor)
        os.close(self._pidfd)
        self._sock.close()


def run_file_worker(spec: KernelSpec, sock: socket.socket) -> None:
    """Turns a child of the zygote into a file worker, with the rights of a kernel, and serves until its connection ends.

    Nothing is imported from here on: what lies in the kernels' directories must not come into it.
    """
    os.setsid()
    descriptor = sock.detach()
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.dup2(descriptor, 3, inheritable=False)
    os.closerange(4, 1 << 20)
    drop_privileges(spec.uid, spec.gid, spec.groups, prepare_to_drop())
    os.umask(0o002)
    os.environ.clear()
    os.chdir(spec.cwd)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _on_released)
    serve(FileChannel(3))


def _on_released(_: int, __: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Disconnected


def serve(channel: FileChannel) -> None:
    """One operation after the other."""
    try:
        channel.send(BEAT)  # it can be spoken to
        channel.flush()
        while (request := channel.request()) is not None:
            _perform(channel, request)
    except (Disconnected, ConnectionError):
        pass


def _perform(channel: FileChannel, request: dict[str, Any]) -> None:
    try:
        reply = _OPERATIONS[request["op"]](channel, request)
    except (Disconnected, ConnectionError):
        raise
    except Exception as error:
        channel.fail(error, operations.path_of(request))
        channel.skip_upload()
    else:
        channel.send_json(REPLY, reply)
        channel.flush()
