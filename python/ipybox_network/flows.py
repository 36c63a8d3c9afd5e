"""Ends the open connections of cells that a new policy denies: to where they may not, and all that others have begun.

The rules hold for each packet; without this a cell that only waits for data would not learn that none can come.
"""

import errno
import socket
import struct
from dataclasses import dataclass

from . import netlink

_BY_FAMILY = 20
_DESTROY = 21
_LISTENING = 1 << 10
#: All states but 7 (closed) and 10 (listening).
_CONNECTED = 0xFFF & ~(1 << 7 | _LISTENING)
_REQUEST = struct.Struct("=BBBxI48s")
#: Family, state, timer, retransmissions, identity, expiry, receive queue, send queue, uid, inode.
_MESSAGE = struct.Struct("=BBBB48sIIIII")
_MAPPED = bytes(10) + b"\xff\xff"


@dataclass(frozen=True)
class Reach:
    """Which addresses may be reached; see ``src/network/reach.ts``."""

    others: bool
    ranges: list[tuple[str, int, int | None]]

    def allows(self, address: bytes, port: int) -> bool:
        """``address`` in network order, 4 or 16 bytes."""
        bits = len(address) * 8
        value = int.from_bytes(address, "big")
        for network, prefix, wanted in self.ranges:
            packed = _packed(network)
            if len(packed) != len(address) or (wanted is not None and wanted != port):
                continue
            if (value ^ int.from_bytes(packed, "big")) >> (bits - prefix) == 0:
                return not self.others
        return self.others


def cut(reach: Reach) -> None:
    """Resets what is denied; the agent, whose uid is 0, does so itself."""
    with netlink.open_socket(netlink.NETLINK_SOCK_DIAG) as sock:
        families = (socket.AF_INET, socket.AF_INET6)
        tcp, udp = socket.IPPROTO_TCP, socket.IPPROTO_UDP
        listeners = {_Flow(found).local_port for family in families for found in _found(sock, family, tcp, _LISTENING)}
        for family in families:
            for protocol in (tcp, udp):
                for found in _found(sock, family, protocol, _CONNECTED):
                    flow = _Flow(found)
                    # Linux does not say who has begun a connection; one to a port that somebody listens on came from outside.
                    is_from_outside = protocol == tcp and flow.local_port in listeners
                    if flow.is_of_cells and (is_from_outside or not reach.allows(flow.remote, flow.remote_port)):
                        _end(sock, family, protocol, flow)


class _Flow:
    """A socket that Linux has listed."""

    def __init__(self, found: bytes) -> None:
        family, _, _, _, self.identity, _, _, _, self._uid, _ = _MESSAGE.unpack_from(found)
        length = 4 if family == socket.AF_INET else 16
        self.local_port, self.remote_port = struct.unpack_from(">HH", self.identity)
        self.local, self.remote = _plain(self.identity[4 : 4 + length]), _plain(self.identity[20 : 20 + length])

    @property
    def is_of_cells(self) -> bool:
        """Whether it goes from a cell to somewhere outside."""
        return self._uid != 0 and self.remote_port != 0 and self.local != self.remote and not _is_loopback(self.remote)


def _found(sock: socket.socket, family: int, protocol: int, states: int) -> list[bytes]:
    try:
        return list(netlink.dump(sock, _BY_FAMILY, _REQUEST.pack(family, protocol, 0, states, bytes(48))))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EOPNOTSUPP):  # this Linux can't list them
            return []
        raise


def _end(sock: socket.socket, family: int, protocol: int, flow: _Flow) -> None:
    try:
        netlink.request(sock, _DESTROY, _REQUEST.pack(family, protocol, 0, 0, flow.identity))
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EOPNOTSUPP):  # it has ended; this Linux can't
            raise


def _plain(address: bytes) -> bytes:
    return address[12:] if len(address) == 16 and address.startswith(_MAPPED) else address


def _is_loopback(address: bytes) -> bool:
    return address[0] == 127 if len(address) == 4 else address == bytes(15) + b"\x01"


def _packed(network: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in network else socket.AF_INET, network)
