"""The zygote: imports everything once, then forks a kernel for each connection of the agent.

It is root, has one thread, and runs nothing of the users': it forks, relays what is written to file
descriptors 1 and 2, and reports how a kernel ended. A connection is a kernel's socket for life.
"""

import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import traceback
from typing import TYPE_CHECKING

from . import frames
from .preload import Preload
from .privileges import become_subreaper
from .relay import Relay, output_pipe
from .spawn import KernelSpec, become_kernel

if TYPE_CHECKING:
    from .kernel import Kernel

SOCKET_PATH = "/run/ipybox/zygote.sock"
PLAIN_SOCKET_PATH = "/run/ipybox/plain-zygote.sock"
_PRELOADED_MARK = "/run/ipybox/preloaded"
_VENV_PACKAGES = f"/venv/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
_REQUEST_TIMEOUT_S = 5
_IDLE_S = 0.25


def main(plain: bool) -> None:
    """Serves until the container ends. A plain zygote preloads nothing that users can write to."""
    from .kernel import Kernel

    os.umask(0o077)
    become_subreaper()
    kernel = Kernel.warm()
    preload = Preload([] if plain else _preloads(), _VENV_PACKAGES)
    listener = _listen(PLAIN_SOCKET_PATH if plain else SOCKET_PATH)
    gc.freeze()
    Zygote(listener, kernel, preload).serve()


def _preloads() -> list[str]:
    """What the image asks for; nothing when cells may have run in this container before."""
    if os.path.exists(_PRELOADED_MARK):
        return []
    open(_PRELOADED_MARK, "w").close()
    return [name for name in os.environ.get("IPYBOX_PRELOAD", "").split(",") if name]


def _listen(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    if os.path.exists(path):
        os.unlink(path)
    # Ready only once it has its name: whoever can see the socket can connect.
    listener.bind(path + ".new")
    listener.listen(1024)
    os.rename(path + ".new", path)
    return listener


class _Child:
    """A forked kernel, from the zygote's side."""

    def __init__(self, pid: int, sock: socket.socket, relay: Relay) -> None:
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.sock = sock
        self.relay = relay
        self.exited = False
        self.released = False

    @property
    def descriptors(self) -> list[int]:
        return [self.pidfd, self.sock.fileno(), *self.relay.pipes]


class Zygote:
    def __init__(self, listener: socket.socket, kernel: "Kernel", preload: Preload) -> None:
        self._listener = listener
        self._kernel = kernel
        self._preload = preload
        self._poll = select.epoll()
        self._children: dict[int, _Child] = {}  # by each of its descriptors
        self._wakeup_in, self._wakeup_out = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def serve(self) -> None:
        signal.set_wakeup_fd(self._wakeup_out, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._poll.register(self._listener.fileno(), select.EPOLLIN)
        self._poll.register(self._wakeup_in, select.EPOLLIN)
        warm = False
        while True:
            events = self._poll.poll(None if warm else _IDLE_S)
            for descriptor, happened in events:
                self._handle(descriptor, happened)
            if not events:
                self._warm_further()
                warm = True

    def _warm_further(self) -> None:
        """Done when there is time: the first kernel must not wait for it, the next ones have it."""
        self._kernel.warm_further()
        gc.collect()
        gc.freeze()

    def _handle(self, descriptor: int, events: int) -> None:
        if descriptor == self._listener.fileno():
            self._accept()
        elif descriptor == self._wakeup_in:
            os.read(self._wakeup_in, 4096)
            self._reap_orphans()
        elif (child := self._children.get(descriptor)) is not None:
            self._on_event(child, descriptor, events)

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        try:
            sock.settimeout(_REQUEST_TIMEOUT_S)
            spec = _read_request(sock)
            sock.settimeout(None)
            if self._preload.stale:
                sock.send(frames.frame(frames.STALE, b""))
                sock.close()
            else:
                self._fork(spec, sock)
        except Exception:  # one request must not end the zygote
            traceback.print_exc()
            sock.close()

    def _fork(self, spec: KernelSpec, sock: socket.socket) -> None:
        out_read, out_write = output_pipe()
        err_read, err_write = output_pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                self._kernel.run(*become_kernel(spec, sock, out_write, err_write))
                status = 0
            except BaseException:
                os.write(2, traceback.format_exc().encode("utf-8", "replace")[-4000:])
            finally:
                os._exit(status)
        os.close(out_write)
        os.close(err_write)
        child = _Child(pid, sock, Relay(sock, out_read, err_read))
        for descriptor in child.descriptors:
            self._children[descriptor] = child
        self._poll.register(child.pidfd, select.EPOLLIN | select.EPOLLONESHOT)
        self._poll.register(sock.fileno(), select.EPOLLRDHUP | select.EPOLLET)
        for pipe in child.relay.pipes:
            self._poll.register(pipe, select.EPOLLIN | select.EPOLLET)

    def _on_event(self, child: _Child, descriptor: int, events: int) -> None:
        if descriptor == child.pidfd:
            self._on_exit(child)
        elif descriptor in child.relay.pipes:
            if events & select.EPOLLIN:
                child.relay.on_written(descriptor, self._poll)
        else:
            if events & (select.EPOLLRDHUP | select.EPOLLHUP):
                child.released = True
            elif events & select.EPOLLOUT:
                child.relay.on_writable(self._poll)
        if child.exited and child.released:
            self._forget(child)

    def _on_exit(self, child: _Child) -> None:
        """Tells how the kernel ended, after all it has written.

        The process stays unreaped until the agent lets go of it: until then its pid can't name another.
        """
        info = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert info is not None
        child.exited = True
        code = info.si_status if info.si_code == os.CLD_EXITED else -info.si_status
        child.relay.finish(frames.frame(frames.EXITED, struct.pack("<i", code)), self._poll)

    def _forget(self, child: _Child) -> None:
        for descriptor in child.descriptors:
            self._children.pop(descriptor, None)
            self._poll.unregister(descriptor)
        child.relay.close()
        child.sock.close()
        os.close(child.pidfd)
        os.waitpid(child.pid, 0)

    def _reap_orphans(self) -> None:
        """Processes that kernels have left behind; kernels themselves are reaped in `_forget`."""
        kernels = {child.pid for child in self._children.values()}
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            orphans = [int(pid) for pid in file.read().split()]
        for pid in orphans:
            if pid not in kernels:
                os.waitpid(pid, os.WNOHANG)


def _read_request(sock: socket.socket) -> KernelSpec:
    header = _read_exactly(sock, frames.HEADER.size)
    length, *_ = frames.HEADER.unpack(header)
    return KernelSpec(**json.loads(_read_exactly(sock, length)))


def _read_exactly(sock: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = sock.recv(length - len(data))
        if not part:
            raise EOFError("the agent closed the connection before it had sent its request")
        data += part
    return data
