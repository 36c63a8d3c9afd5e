"""The zygote: imports everything once, then forks a kernel for each connection of the agent.

It is root, has one thread, and runs nothing of the users': it forks, relays what is written to file
descriptors 1 and 2, and reports how a kernel ended. A connection is a kernel's socket for life. A live
kernel forks itself, and its fork comes forward here.
"""

import contextlib
import errno
import gc
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import frames, immortal
from .child import Child
from .ends import Ends, has_ended
from .files.process import FileWorker, run_file_worker
from .preload import Preload
from .privileges import become_subreaper, go_before_children, prepare
from .spare import Spares
from .spawn import KernelSpec
from .watch import Watch

if TYPE_CHECKING:
    from .kernel import Kernel

SOCKET_PATH = "/run/ipybox/zygote.sock"
PLAIN_SOCKET_PATH = "/run/ipybox/plain-zygote.sock"
_PRELOADED_MARK = "/run/ipybox/preloaded"
_VENV_PACKAGES = f"/venv/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
_INLINE_BACKEND = "module://matplotlib_inline.backend_inline"
_REQUEST_TIMEOUT_S = 5
_IDLE_S = 0.25
_SPARE_DELAY_S = 0.005
_DONE = object()


def main(plain: bool) -> None:
    """Serves until the container ends. A plain zygote preloads nothing that users can write to."""
    from .kernel import Kernel

    os.umask(0o077)
    watch = Watch()
    become_subreaper()
    prepare()
    # Read when matplotlib is imported, which a preload does before any kernel has its environment.
    os.environ["MPLBACKEND"] = _INLINE_BACKEND
    kernel = Kernel.warm()
    preload = Preload([] if plain else _preloads(), _VENV_PACKAGES)
    listener = _listen(PLAIN_SOCKET_PATH if plain else SOCKET_PATH)
    immortal.keep()
    gc.enable()
    Zygote(listener, kernel, preload, watch).serve()


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


class Zygote:
    def __init__(self, listener: socket.socket, kernel: "Kernel", preload: Preload, watch: Watch) -> None:
        self._listener = listener
        self._kernel = kernel
        self._preload = preload
        self._watch = watch
        self._poll = select.epoll()
        self._children: dict[int, Child] = {}  # by each of its descriptors
        self._file_workers: dict[int, FileWorker] = {}  # likewise
        #: What is left to be done in advance, a little at a time; None when nothing is.
        self._preparation: Iterator[None] | None = None
        self._is_preparing = False
        self._has_watch = False
        #: The one process that waits to be the next kernel.
        self._spares = Spares(kernel, self._poll)
        self._wakeup_in, self._wakeup_out = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        #: Makes room for a connection that has to be turned away when descriptors are used up.
        self._reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def serve(self) -> None:
        signal.set_wakeup_fd(self._wakeup_out, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._poll.register(self._listener.fileno(), select.EPOLLIN)
        self._poll.register(self._wakeup_in, select.EPOLLIN)
        self._spares.prepare()
        self._preparation = self._prepare_further()
        while True:
            events = self._poll.poll(self._patience_s)
            for descriptor, happened in events:
                try:
                    self._handle(descriptor, happened)
                except Exception:  # one kernel must not end the zygote, whatever it does
                    traceback.print_exc()
                    if (child := self._children.get(descriptor)) is not None:
                        self._drop(child)
            if not events:
                self._use_leisure()

    @property
    def _patience_s(self) -> float | None:
        """After how long without an event there is time for more than what is asked for."""
        if self._preparation is not None:
            return 0 if self._is_preparing else _IDLE_S
        return _SPARE_DELAY_S if self._spares.lacks else None

    def _use_leisure(self) -> None:
        """No kernel must wait for this; the next ones have it."""
        if self._preparation is None:
            self._spares.prepare()
            return
        self._is_preparing = True
        if next(self._preparation, _DONE) is _DONE:
            self._preparation = None
            self._spares.drop()  # it is not as warm
            self._spares.prepare()

    def _prepare_further(self) -> Iterator[None]:
        """What no kernel has to wait for, in steps: between them one may be asked for."""
        yield from self._kernel.warm_further()
        gc.collect()
        immortal.keep()
        yield
        contents = immortal.keep_contents()
        # Where there is a process already, the zygote would copy most of the pages that it shares with it.
        while not (self._children or self._file_workers or self._has_watch) and next(contents, _DONE) is not _DONE:
            yield

    def _handle(self, descriptor: int, events: int) -> None:
        if descriptor == self._listener.fileno():
            self._accept()
        elif descriptor == self._wakeup_in:
            os.read(self._wakeup_in, 4096)
            self._reap_orphans()
        elif self._spares.ended(descriptor):
            pass
        elif (child := self._children.get(descriptor)) is not None:
            self._on_event(child, descriptor, events)
        elif (worker := self._file_workers.get(descriptor)) is not None and worker.ended(descriptor):
            for known in worker.descriptors:
                del self._file_workers[known]
            worker.close(self._poll)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            self._turn_away(error)
            return
        try:
            sock.settimeout(_REQUEST_TIMEOUT_S)
            request = _read_request(sock)
            sock.settimeout(None)
            if "watch" in request:
                self._fork_watch(sock)
            elif "fork_of" in request:
                self._fork_live(request["fork_of"], request["kernel_id"], sock)
            elif "file_worker" in request:
                self._fork_file_worker(KernelSpec(**request["file_worker"]), sock)
            elif self._preload.stale:
                self._spares.retire()
                sock.send(frames.frame(frames.STALE, b""))
                sock.close()
            else:
                self._fork(KernelSpec(**request), sock)
        except OSError as error:  # descriptors, processes or memory are used up
            _refuse(sock, error)
        except Exception:  # one request must not end the zygote
            traceback.print_exc()
            sock.close()

    def _turn_away(self, error: OSError) -> None:
        """There is no descriptor left for a connection: it is told so, and not left to wait."""
        os.close(self._reserve)
        try:
            sock, _ = self._listener.accept()
            _refuse(sock, error)
        except OSError:
            pass  # who has connected is gone
        finally:
            self._reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def _fork(self, spec: KernelSpec, sock: socket.socket) -> None:
        spare = self._spares.take()
        try:
            child = Child(sock, spare.ends)
        except OSError:
            spare.close()
            raise
        try:
            child.watch(self._poll)
            child.began(spare.pid, spare.pidfd, self._poll)
            spare.order(spec, sock)
        except OSError:
            child.give_up(spare.pid, spare.pidfd)
            raise
        self._keep(child)

    def _fork_watch(self, sock: socket.socket) -> None:
        self._has_watch = True
        with sock:
            if os.fork() == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                try:
                    self._watch.serve(sock)
                finally:
                    os._exit(0)

    def _fork_live(self, parent_pid: int, kernel_id: str, sock: socket.socket) -> None:
        """The kernel `parent_pid` is about to be asked by the agent to fork itself: prepares for the new one."""
        parent = next((child for child in self._children.values() if child.pid == parent_pid and not child.exited), None)
        if parent is None:
            raise ProcessLookupError(errno.ESRCH, "the kernel that was to be forked has ended")
        ends = Ends()
        try:
            child = Child(sock, ends)
        except OSError:
            ends.close()
            raise
        child.watch(self._poll)
        self._poll.register(child.control.fileno(), select.EPOLLIN)
        self._keep(child)
        try:
            child.order_fork(kernel_id, parent)
        except OSError:
            self._forget(child)
            raise

    def _fork_file_worker(self, spec: KernelSpec, sock: socket.socket) -> None:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                run_file_worker(spec, sock)
                status = 0
            finally:
                os._exit(status)
        worker = FileWorker(pid, sock)
        worker.watch(self._poll)
        self._file_workers.update(dict.fromkeys(worker.descriptors, worker))

    def _keep(self, child: Child) -> None:
        for descriptor in child.descriptors:
            self._children[descriptor] = child

    def _on_event(self, child: Child, descriptor: int, events: int) -> None:
        if descriptor == child.pidfd:
            if not has_ended(child.pidfd):
                return  # the event is older: of a process whose descriptor had this number
            child.end(self._poll)
        elif descriptor == child.control.fileno():
            self._on_forked(child)
            return
        elif descriptor in child.relay.pipes:
            if events & select.EPOLLIN:
                child.relay.on_written(descriptor, self._poll)
        else:
            if events & (select.EPOLLRDHUP | select.EPOLLHUP):
                child.released = True
                child.kill()
            elif events & select.EPOLLOUT:
                child.relay.on_writable(self._poll)
        if child.released and (child.exited or child.pid == 0):
            self._forget(child)

    def _on_forked(self, child: Child) -> None:
        self._poll.unregister(child.control.fileno())
        try:
            pid = child.claimed_pid()
            pidfd = os.pidfd_open(pid)
            if pid in self._known_pids() or _parent_of(pid) != os.getpid():
                os.close(pidfd)
                raise ConnectionError(f"process {pid} has not come to the zygote as a new child")
            go_before_children(pid)
            child.began(pid, pidfd, self._poll)
            self._keep(child)
            child.hand_over()
        except OSError:  # it has ended, was never forked, or lies
            self._drop(child)

    def _known_pids(self) -> set[int]:
        kept = {child.pid for child in self._children.values()} | {worker.pid for worker in self._file_workers.values()}
        return kept if self._spares.pid is None else kept | {self._spares.pid}

    def _drop(self, child: Child) -> None:
        """Ends a kernel that can't be kept."""
        child.kill()
        self._forget(child)

    def _forget(self, child: Child) -> None:
        for descriptor in child.descriptors:
            if self._children.pop(descriptor, None) is not None:
                try:
                    self._poll.unregister(descriptor)
                except FileNotFoundError:
                    pass  # the control socket of a kernel that is no fork
        child.close()

    def _reap_orphans(self) -> None:
        """Processes that kernels have left behind; kernels themselves are reaped in `_forget`, file workers when they end."""
        kept = self._known_pids()
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            orphans = [int(pid) for pid in file.read().split()]
        for pid in orphans:
            if pid not in kept:
                os.waitpid(pid, os.WNOHANG)


def _refuse(sock: socket.socket, error: OSError) -> None:
    """Says why there is no process, as far as the other side still listens."""
    name = errno.errorcode.get(error.errno or 0, "EAGAIN")
    with contextlib.suppress(OSError):
        sock.send(frames.frame(frames.REFUSED, name.encode()), socket.MSG_DONTWAIT)
    sock.close()


def _parent_of(pid: int) -> int:
    """The parent of a process; 0 when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _read_request(sock: socket.socket) -> dict:
    header = _read_exactly(sock, frames.HEADER.size)
    length, *_ = frames.HEADER.unpack(header)
    return json.loads(_read_exactly(sock, length))


def _read_exactly(sock: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = sock.recv(length - len(data))
        if not part:
            raise EOFError("the agent closed the connection before it had sent its request")
        data += part
    return data
