"""Passes on to the agent what Linux tells of packets that the network policy has denied.

Linux tells it on a netlink socket, which takes the capability NET_ADMIN to open. Nobody here has that: the socket comes from
the one-shot process that sets the policy (``ipybox_network``). Sandbox and that process have only their network in common, and
with it the names of abstract sockets.
"""

import errno
import os
import select
import socket
import struct
import time

LISTENER = "\0ipybox-network"
_BACKLOG = 16
_RECEIVE_BYTES = 1 << 18
_HAND_OVER_S = 1
#: At most so often is passed on: a cell that sends without end must not keep the agent busy.
_PAUSE_S = 0.005
_CREDENTIALS = struct.Struct("3i")


class Watch:
    """Has its name before any cell runs, so that none can take it."""

    def __init__(self) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            listener.bind(LISTENER)
            listener.listen(_BACKLOG)
        except OSError as error:  # another zygote of this container has it
            if error.errno != errno.EADDRINUSE:
                raise
            listener.close()
            self._listener = None
        else:
            self._listener = listener

    def serve(self, agent: socket.socket) -> None:
        """Runs in a process of its own until the agent closes its end."""
        if self._listener is None:
            return
        _keep_only(agent.fileno(), self._listener.fileno())
        log: socket.socket | None = None
        poll = select.epoll()
        poll.register(agent.fileno(), select.EPOLLRDHUP)
        poll.register(self._listener.fileno(), select.EPOLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == agent.fileno():
                    return
                if descriptor == self._listener.fileno():
                    given = _accept(self._listener)
                    if given is not None:
                        log = given  # closes the one before
                        poll.register(log.fileno(), select.EPOLLIN)
                elif log is not None:
                    _pass_on(log, agent)


def _accept(listener: socket.socket) -> socket.socket | None:
    try:
        sock, _ = listener.accept()
    except BlockingIOError:
        return None
    with sock:
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, uid, _ = _CREDENTIALS.unpack(credentials)
        if uid != 0:  # a cell
            return None
        sock.settimeout(_HAND_OVER_S)
        try:
            _, descriptors, _, _ = socket.recv_fds(sock, 16, 1)
        except OSError:
            return None
        return socket.socket(fileno=descriptors[0]) if descriptors else None


def _pass_on(log: socket.socket, agent: socket.socket) -> None:
    try:
        agent.sendall(log.recv(_RECEIVE_BYTES))
    except OSError as error:
        # Some were lost, of which their numbers tell; or there is nothing yet.
        if error.errno not in (errno.ENOBUFS, errno.EAGAIN):
            raise
    time.sleep(_PAUSE_S)


def _keep_only(*descriptors: int) -> None:
    last = 2
    for descriptor in sorted(descriptors):
        os.closerange(last + 1, descriptor)
        last = descriptor
    os.closerange(last + 1, 1 << 20)
