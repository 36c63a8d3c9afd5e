"""The little of netlink, Linux's protocol for its network settings, that is needed here."""

import errno
import os
import socket
import struct
from collections.abc import Iterator

NETLINK_NETFILTER = 12
NETLINK_SOCK_DIAG = 4

_HEADER = struct.Struct("=IHHII")
_REQUEST = 1
_ACK = 4
_DUMP = 0x300
_ERROR = 2
_DONE = 3
_TIMEOUT_S = 2
#: Without the flags that an attribute's kind can have.
_KIND = 0x3FFF


def open_socket(protocol: int) -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    sock.bind((0, 0))
    sock.settimeout(_TIMEOUT_S)
    return sock


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(payload: bytes) -> dict[int, bytes]:
    """The values of a message's attributes, by kind."""
    found = {}
    while len(payload) >= 4:
        length, kind = struct.unpack_from("=HH", payload)
        if length < 4:
            break
        found[kind & _KIND] = payload[4:length]
        payload = payload[length + (-length % 4) :]
    return found


def request(sock: socket.socket, kind: int, payload: bytes) -> None:
    """Sends a request and raises the error that it is answered with."""
    sock.send(_message(kind, _ACK, payload))
    for answer, body in _messages(sock.recv(65_536)):
        if answer == _ERROR:
            _raise(body)


def dump(sock: socket.socket, kind: int, payload: bytes) -> Iterator[bytes]:
    """All that Linux lists as an answer."""
    sock.send(_message(kind, _DUMP, payload))
    while True:
        for answer, body in _messages(sock.recv(1 << 18)):
            if answer == _DONE:
                return
            if answer == _ERROR:
                _raise(body)
            yield body


def _message(kind: int, flags: int, payload: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(payload), kind, _REQUEST | flags, 1, 0) + payload


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(data)
        yield kind, data[_HEADER.size : length]
        data = data[length + (-length % 4) :]


def _raise(body: bytes) -> None:
    (code,) = struct.unpack_from("=i", body)
    if code != 0:
        raise OSError(-code, f"netlink: {os.strerror(-code)} ({errno.errorcode.get(-code, -code)})")
