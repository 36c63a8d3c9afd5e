"""Has Linux tell which packets are denied, and gives what it tells to the sandbox."""

import errno
import socket
import struct
import time

from . import netlink

#: A name in the sandbox's network, which is what both have in common; see ``ipybox_kernel/watch.py``.
LISTENER = "\0ipybox-network"

_ULOG_CONFIG = (4 << 8) | 1
_COMMAND, _MODE, _TIMEOUT, _THRESHOLD, _FLAGS = 1, 2, 4, 5, 6
_BIND = 1
_COPY_PACKET = 2
_NUMBERED = 1
_SNAP_BYTES = 512
_FLUSH_CENTISECONDS = 2
_FLUSH_PACKETS = 64
_BUFFER_BYTES = 1 << 20
_SO_RCVBUFFORCE = 33
_HAND_OVER_S = 5


def open_log(group: int) -> socket.socket | None:
    """A socket that denied packets are told on; None when there is one already, which goes on."""
    sock = netlink.open_socket(netlink.NETLINK_NETFILTER)
    sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
    settings = (
        netlink.attribute(_COMMAND, struct.pack("=B", _BIND))
        + netlink.attribute(_MODE, struct.pack(">IBx", _SNAP_BYTES, _COPY_PACKET))
        + netlink.attribute(_TIMEOUT, struct.pack(">I", _FLUSH_CENTISECONDS))
        + netlink.attribute(_THRESHOLD, struct.pack(">I", _FLUSH_PACKETS))
        + netlink.attribute(_FLAGS, struct.pack(">H", _NUMBERED))
    )
    try:
        netlink.request(sock, _ULOG_CONFIG, struct.pack(">BBH", socket.AF_UNSPEC, 0, group) + settings)
    except OSError as error:
        sock.close()
        if error.errno in (errno.EBUSY, errno.EPERM, errno.EEXIST):  # bound by another socket
            return None
        raise
    return sock


def hand_over(log: socket.socket) -> None:
    """Gives the socket to the sandbox, where it outlives this process."""
    deadline = time.monotonic() + _HAND_OVER_S
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        while True:
            try:
                sock.connect(LISTENER)
                break
            except OSError:  # the sandbox is just starting
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.003)
        sock.settimeout(_HAND_OVER_S)
        socket.send_fds(sock, [b"log"], [log.fileno()])
