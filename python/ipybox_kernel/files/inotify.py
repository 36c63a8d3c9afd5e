"""Linux's inotify, which Python has no module for."""

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

MODIFY = 0x2
MOVED_FROM = 0x40
MOVED_TO = 0x80
CREATE = 0x100
DELETE = 0x200
DELETE_SELF = 0x400
MOVE_SELF = 0x800
UNMOUNT = 0x2000
OVERFLOW = 0x4000
IGNORED = 0x8000
ONLY_DIRECTORY = 0x0100_0000
DONT_FOLLOW = 0x0200_0000
IS_DIRECTORY = 0x4000_0000

_ALL = MODIFY | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF
_EVENT = struct.Struct("iIII")
_READ_BYTES = 16 * 1024

_libc = ctypes.CDLL(None, use_errno=True)


class Happened(NamedTuple):
    watch: int
    mask: int
    #: The same for the two halves of a rename.
    cookie: int
    name: bytes


class Inotify:
    def __init__(self) -> None:
        self._descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"no more watching processes for this user: {os.strerror(number)}")

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)

    def add(self, path: bytes, follow: bool) -> int:
        """Watches a directory; gives the number of the watch."""
        number = _libc.inotify_add_watch(self._descriptor, path, _ALL | ONLY_DIRECTORY | (0 if follow else DONT_FOLLOW))
        if number < 0:
            error = ctypes.get_errno()
            full = "this system's limit of watched directories is reached (fs.inotify.max_user_watches)"
            raise OSError(error, full if error == errno.ENOSPC else os.strerror(error), path)
        return number

    def remove(self, watch: int) -> None:
        _libc.inotify_rm_watch(self._descriptor, watch)

    def read(self) -> Iterator[Happened]:
        """What has happened and was not read yet; nothing when that is nothing."""
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        offset = 0
        while offset < len(data):
            watch, mask, cookie, length = _EVENT.unpack_from(data, offset)
            offset += _EVENT.size
            yield Happened(watch, mask, cookie, data[offset : offset + length].rstrip(b"\0"))
            offset += length
