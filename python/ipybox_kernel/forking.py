"""A live kernel forks itself between two cells: the new one has all state, and its own way to the agent.

The zygote stays parent and supervisor of every kernel: the new one falls to it (`orphan.py`).
"""

import array
import errno
import gc
import os
import select
import socket
import struct
import traceback

from .landlock import make_ruleset
from .orphan import fork_orphan
from .privileges import leave_siblings
from .spawn import Descriptors, place_ends, place_socket

_DESCRIPTOR = array.array("i", [0]).itemsize
_DEADLINE_MS = 5_000
#: From the zygote: a kernel is to be forked; behind it, the new kernel's control socket and output pipes.
_FORK_DESCRIPTORS = 3


#: What a container has used up when a fork fails.
_BOUNDS = {errno.EAGAIN: "no process is left: raise pidsLimit", errno.ENOMEM: "memory is used up: raise memoryBytes"}


def describe_failure(error: OSError) -> str:
    """Why a kernel can't be forked."""
    return _BOUNDS.get(error.errno or 0, error.strerror or str(error))


def fork_kernel(control: socket.socket, wanted: set[str]) -> Descriptors | None:
    """Forks this kernel once, for one of the ids that are wanted, which it takes from them.

    In the new kernel, gives its socket, its control socket and its output slots.
    """
    kernel_id, descriptors = _next_order(control, wanted)
    gc.freeze()  # else the first collection of either would copy every page with an object
    is_new = False
    try:
        is_new = fork_orphan()
        return _become_fork(kernel_id, *descriptors) if is_new else None
    finally:
        if not is_new:
            gc.unfreeze()
        _close(descriptors)


def _next_order(control: socket.socket, wanted: set[str]) -> tuple[str, list[int]]:
    """Receives what the zygote has prepared for a kernel; what is left of a fork that has failed is let go."""
    while True:
        _await(control)
        kernel_id, descriptors = receive(control, _FORK_DESCRIPTORS)
        if kernel_id in wanted:
            wanted.remove(kernel_id)
            return kernel_id, descriptors
        _close(descriptors)


def drop_orders(control: socket.socket) -> None:
    """After a failure: lets go of all that the zygote has prepared, so that it does not wait for these kernels."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while poll.poll(0):
        try:
            _close(receive(control, _FORK_DESCRIPTORS)[1])
        except OSError:
            return


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _become_fork(kernel_id: str, control_fd: int, stdout: int, stderr: int) -> Descriptors:
    try:
        os.setsid()
        control = socket.socket(fileno=os.dup(control_fd))
        # The zygote hands out the way to the agent only to the process that it can supervise.
        credentials = struct.pack("3i", os.getpid(), os.getuid(), os.getgid())
        control.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, credentials)])
        _await(control)
        _, (sock_fd,) = receive(control, 1)
        leave_siblings(make_ruleset())
        os.environ["IPYBOX_KERNEL_ID"] = kernel_id
        return place_socket(sock_fd), *place_ends(control.detach(), stdout, stderr)
    except BaseException:
        os.write(2, traceback.format_exc().encode("utf-8", "replace")[-4000:])
        os._exit(1)


def _await(control: socket.socket) -> None:
    poll = select.poll()
    poll.register(control, select.POLLIN)
    if not poll.poll(_DEADLINE_MS):
        raise TimeoutError(f"the zygote did not answer within {_DEADLINE_MS} ms")


def receive(control: socket.socket, count: int) -> tuple[str, list[int]]:
    """Receives a message of the zygote, and the descriptors that must come with it."""
    data, ancillary, _, _ = control.recvmsg(64, socket.CMSG_SPACE(count * _DESCRIPTOR))
    descriptors = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content[: len(content) - len(content) % _DESCRIPTOR])
    if len(descriptors) != count:
        _close(list(descriptors))
        raise ConnectionError("the zygote has sent no descriptors")
    return data.decode(), list(descriptors)
