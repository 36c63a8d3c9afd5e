"""The zygote outlives what kernels and a full machine do to it."""

import os
import resource
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ipybox_kernel import frames
from ipybox_kernel.child import Child
from ipybox_kernel.zygote import Zygote


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "zygote.sock"))
        listener.listen()
        yield listener


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


#: A connection, a control socket, two output pipes and the relay's own pipe.
_NEEDED = 9


@pytest.mark.parametrize("free", range(_NEEDED))
def test_a_connection_is_refused_when_descriptors_are_used_up(listener: socket.socket, free: int) -> None:
    # verifies: KERN-05, SEC-03
    unused = cast(Any, None)
    zygote = Zygote(listener, unused, unused, unused)
    zygote._children = {-1: cast(Any, SimpleNamespace(pid=1, exited=False))}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        agent.connect(listener.getsockname())
        agent.settimeout(5)
        agent.sendall(frames.frame(frames.REQUEST, b'{"fork_of": 1, "kernel_id": "x"}'))
        before = _descriptors()
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + free, hard))
        try:
            zygote._accept()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert agent.recv(1024) == frames.frame(frames.REFUSED, b"EMFILE")
        assert _descriptors() == before


def test_a_process_that_is_no_child_is_no_kernel(listener: socket.socket) -> None:
    # verifies: SEC-04
    unused = cast(Any, None)
    zygote = Zygote(listener, unused, unused, unused)
    agent, sock = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    child = Child(sock)
    child.control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    child.watch(zygote._poll)
    zygote._poll.register(child.control.fileno())
    zygote._keep(child)
    credentials = struct.pack("3i", os.getpid(), os.getuid(), os.getgid())
    child.far_control.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, credentials)])
    zygote._on_forked(child)
    assert zygote._children == {}
    assert agent.recv(1) == b""
    agent.close()
