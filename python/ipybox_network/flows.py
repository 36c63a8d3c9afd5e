"""Ends the open connections of cells that a new policy denies.

The rules hold for each packet; without this a cell that only waits for data would not learn that none can come.
"""

import errno
import socket
import struct
from dataclasses import dataclass

from . import netlink

_BY_FAMILY = 20
_DESTROY = 21
#: All states but 7 (closed) and 10 (listening).
_CONNECTED = 0xFFF & ~(1 << 7 | 1 << 10)
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
        for family in (socket.AF_INET, socket.AF_INET6):
            for protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP):
                for found in _connected(sock, family, protocol):
                    _cut_if_denied(sock, protocol, found, reach)


def _connected(sock: socket.socket, family: int, protocol: int) -> list[bytes]:
    try:
        return list(netlink.dump(sock, _BY_FAMILY, _REQUEST.pack(family, protocol, 0, _CONNECTED, bytes(48))))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EOPNOTSUPP):  # this Linux can't list them
            return []
        raise


def _cut_if_denied(sock: socket.socket, protocol: int, found: bytes, reach: Reach) -> None:
    family, _, _, _, identity, _, _, _, uid, _ = _MESSAGE.unpack_from(found)
    port = int.from_bytes(identity[2:4], "big")
    length = 4 if family == socket.AF_INET else 16
    local, remote = _plain(identity[4 : 4 + length]), _plain(identity[20 : 20 + length])
    if uid == 0 or port == 0 or local == remote or _is_loopback(remote) or reach.allows(remote, port):
        return
    try:
        netlink.request(sock, _DESTROY, _REQUEST.pack(family, protocol, 0, 0, identity))
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EOPNOTSUPP):  # it has ended; this Linux can't
            raise


def _plain(address: bytes) -> bytes:
    return address[12:] if len(address) == 16 and address.startswith(_MAPPED) else address


def _is_loopback(address: bytes) -> bool:
    return address[0] == 127 if len(address) == 4 else address == bytes(15) + b"\x01"


def _packed(network: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in network else socket.AF_INET, network)
