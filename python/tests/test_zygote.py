"""The zygote outlives what kernels and a full machine do to it."""

import contextlib
import dataclasses
import json
import os
import resource
import select
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ipybox_kernel import frames, immortal, spare
from ipybox_kernel.child import Child
from ipybox_kernel.ends import Ends
from ipybox_kernel.spawn import KernelSpec
from ipybox_kernel.zygote import Zygote


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "zygote.sock"))
        listener.listen()
        yield listener


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@contextlib.contextmanager
def _only(free: int) -> Iterator[None]:
    """So many descriptors can be opened, and no more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    listed = os.listdir("/proc/self/fd")  # and the descriptor that this took
    used = {int(name) for name in listed if os.path.exists(f"/proc/self/fd/{name}")}
    gaps = [os.dup(0) for number in range(max(used)) if number not in used]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(used) + 1 + free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for gap in gaps:
            os.close(gap)


#: A connection, a control socket, two output pipes and the relay's own pipe.
_NEEDED = 9


@pytest.mark.parametrize("free", range(_NEEDED))
def test_a_connection_is_refused_when_descriptors_are_used_up(listener: socket.socket, free: int) -> None:
    # verifies: KERN-05, SEC-03
    unused = cast(Any, None)
    zygote = Zygote(listener, unused, unused, unused)
    zygote._children = {-1: cast(Any, SimpleNamespace(pid=1, exited=False))}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        agent.connect(listener.getsockname())
        agent.settimeout(5)
        agent.sendall(frames.frame(frames.REQUEST, b'{"fork_of": 1, "kernel_id": "x"}'))
        before = _descriptors()
        with _only(free):
            zygote._accept()
        assert agent.recv(1024) == frames.frame(frames.REFUSED, b"EMFILE")
        assert _descriptors() == before


def test_a_process_that_is_no_child_is_no_kernel(listener: socket.socket) -> None:
    # verifies: SEC-04
    unused = cast(Any, None)
    zygote = Zygote(listener, unused, unused, unused)
    agent, sock = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ends = Ends()
    child = Child(sock, ends)
    child.control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    child.watch(zygote._poll)
    zygote._poll.register(child.control.fileno())
    zygote._keep(child)
    credentials = struct.pack("3i", os.getpid(), os.getuid(), os.getgid())
    ends.far_control.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, credentials)])
    zygote._on_forked(child)
    assert zygote._children == {}
    assert agent.recv(1) == b""
    agent.close()


class _Waiting:
    """A kernel that tells by its exit status whether it has become one."""

    def touch(self) -> None:
        pass

    def warm_further(self) -> Iterator[None]:
        yield
        yield

    def run(self, *_: Any) -> None:
        os._exit(7)


@pytest.fixture
def zygote(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Zygote]:
    monkeypatch.setattr(spare, "become_kernel", lambda *_: None)
    monkeypatch.setattr(spare, "prepare_to_drop", lambda: None)
    zygote = Zygote(listener, cast(Any, _Waiting()), cast(Any, None), cast(Any, None))
    yield zygote
    zygote._spares.drop()
    for child in set(zygote._children.values()):
        zygote._drop(child)


_SPEC = KernelSpec(1000, 1000, [], {}, "/", "/venv")


def _start(zygote: Zygote) -> int:
    """Has the zygote make a kernel, with an agent that listens; gives its process."""
    agent, sock = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    zygote._fork(_SPEC, sock)
    (child,) = set(zygote._children.values())
    agent.close()
    return child.pid


def test_a_kernel_is_the_process_that_has_waited(zygote: Zygote) -> None:
    # verifies: KERN-01
    zygote._spares.prepare()
    waiting = zygote._spares._waiting
    assert waiting is not None
    assert _start(zygote) == waiting.pid
    assert zygote._spares.pid is None
    assert zygote._spares.lacks
    assert os.waitstatus_to_exitcode(os.waitpid(waiting.pid, 0)[1]) == 7


def test_a_kernel_is_forked_when_none_waits_or_the_one_that_did_has_ended(zygote: Zygote) -> None:
    # verifies: KERN-01
    zygote._spares.prepare()
    waiting = zygote._spares._waiting
    assert waiting is not None
    os.kill(waiting.pid, 9)
    os.waitid(os.P_PIDFD, waiting.pidfd, os.WEXITED | os.WNOWAIT)
    pid = _start(zygote)
    assert pid != waiting.pid
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_no_other_waits_where_one_was_ended(zygote: Zygote) -> None:
    # verifies: KERN-05
    zygote._spares.prepare()
    waiting = zygote._spares._waiting
    assert waiting is not None
    os.kill(waiting.pid, 9)
    ((descriptor, events),) = zygote._poll.poll(5)
    zygote._handle(descriptor, events)
    assert zygote._spares.pid is None
    assert zygote._patience_s is None


@pytest.mark.parametrize("is_used", [False, True])
def test_what_takes_long_is_done_in_steps_as_long_as_nobody_asks_for_anything(
    zygote: Zygote, monkeypatch: pytest.MonkeyPatch, is_used: bool
) -> None:
    # verifies: KERN-01, KERN-02
    done: list[str] = []

    def keep_contents() -> Iterator[None]:
        for step in range(3):
            done.append(f"contents {step}")
            yield

    monkeypatch.setattr(immortal, "keep", lambda: done.append("keep"))
    monkeypatch.setattr(immortal, "keep_contents", keep_contents)
    if is_used:
        _start(zygote)
    zygote._spares.prepare()
    early = zygote._spares.pid
    cast(Any, zygote)._preparation = zygote._prepare_further()
    patience = [zygote._patience_s]
    while zygote._preparation is not None:
        assert zygote._spares.pid == early
        zygote._use_leisure()
        patience.append(zygote._patience_s)
    steps = 0 if is_used else 3  # what it shares with a kernel, it would copy
    assert patience == [0.25, *[0] * (3 + steps), None]
    assert done == ["keep", *(f"contents {step}" for step in range(steps))]
    assert zygote._spares.pid not in (early, None)


@pytest.mark.parametrize("free", range(6))
def test_no_process_waits_when_descriptors_are_used_up(zygote: Zygote, free: int) -> None:
    # verifies: KERN-05, SEC-03
    before = _descriptors()
    with _only(free):
        zygote._spares.prepare()
    assert zygote._spares.pid is None
    assert _descriptors() == before


#: A connection, the relay's own pipe, and a file for the order.
_NEEDED_WITH_SPARE = 4


@pytest.mark.parametrize("free", range(_NEEDED_WITH_SPARE))
def test_who_asks_for_a_kernel_is_told_that_descriptors_are_used_up(zygote: Zygote, listener: socket.socket, free: int) -> None:
    # verifies: KERN-05, SEC-03
    zygote._preload = cast(Any, SimpleNamespace(stale=False))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        agent.connect(listener.getsockname())
        agent.settimeout(5)
        spec = json.dumps(dataclasses.asdict(_SPEC)).encode()
        agent.sendall(frames.frame(frames.REQUEST, spec))
        before = _descriptors()
        zygote._spares.prepare()
        with _only(free):
            zygote._accept()
        assert agent.recv(1024).endswith(frames.frame(frames.REFUSED, b"EMFILE"))
        zygote._spares.drop()
        assert _descriptors() == before


def test_an_event_of_a_process_that_was_let_go_is_not_the_end_of_the_next_one(zygote: Zygote) -> None:
    # verifies: KERN-05
    agent, sock = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    child = Child(sock, Ends())
    child.began(pid, os.pidfd_open(pid), zygote._poll)
    child.watch(zygote._poll)
    zygote._keep(child)
    zygote._on_event(child, child.pidfd, select.EPOLLIN)
    ended_before = child.exited
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PIDFD, child.pidfd, os.WEXITED | os.WNOWAIT)
    zygote._on_event(child, child.pidfd, select.EPOLLIN)
    assert [ended_before, child.exited] == [False, True]
    agent.close()
