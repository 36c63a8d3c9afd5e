"""A directory with all that is in it, in and out.

A tree is a sequence of entries. ``directory`` goes down, ``leave`` up again, so an entry needs only its own
name, and none can lead out. Both sides hold the directories on their way open and follow no link.
"""

import errno
import os
import stat
from typing import Any

from .channel import ENTRY, Disconnected, FileChannel, from_wire, to_wire
from .content import open_regular
from .draft import Draft, replace_mode
from .operations import path_of

#: Each open directory is one or two descriptors, on the other side, too.
MAX_DEPTH = 256
_ATTEMPTS = 8
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def pack(channel: FileChannel, request: dict[str, Any]) -> dict[str, Any]:
    """Sends what is in a directory."""
    root = path_of(request)
    _Packer(channel, root).run(os.open(root, os.O_RDONLY | os.O_DIRECTORY))
    return {}


class _Packer:
    def __init__(self, channel: FileChannel, root: bytes) -> None:
        self._channel = channel
        self._path = [root]

    def run(self, root: int) -> None:
        levels = [(root, os.scandir(root))]
        try:
            while levels:
                directory, entries = levels[-1]
                entry = next(entries, None)
                if entry is None:
                    entries.close()
                    os.close(directory)
                    levels.pop()
                    self._path.pop()
                    if levels:
                        self._channel.send_json(ENTRY, {"type": "leave"})
                    continue
                name = os.fsencode(entry.name)
                try:
                    inner = self._send(directory, name)
                except OSError as error:
                    raise OSError(error.errno, error.strerror, b"/".join([*self._path, name])) from error
                if inner is not None:
                    self._path.append(name)
                    levels.append((inner, os.scandir(inner)))
                    if len(levels) > MAX_DEPTH:
                        raise OSError(errno.ELOOP, f"it is nested deeper than {MAX_DEPTH} directories", b"/".join(self._path))
        finally:
            for directory, entries in levels:
                entries.close()
                os.close(directory)

    def _send(self, directory: int, name: bytes) -> int | None:
        """Sends one entry; of a directory, its descriptor is given. What changes meanwhile is looked at anew."""
        for _ in range(_ATTEMPTS):
            try:
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:
                return None  # removed since it was listed
            try:
                return self._send_as(status, directory, name)
            except FileNotFoundError:
                return None
            except OSError as error:
                changed = error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ENXIO)
                if not changed or not _differs(status, directory, name):
                    raise
        raise OSError(errno.EBUSY, "it changes all the time", name)

    def _send_as(self, status: os.stat_result, directory: int, name: bytes) -> int | None:
        entry: dict[str, Any] = {"name": to_wire(name), "mode": stat.S_IMODE(status.st_mode)}
        if stat.S_ISREG(status.st_mode):
            descriptor = open_regular(name, directory, os.O_NOFOLLOW)
            try:
                self._channel.send_json(ENTRY, {"type": "file", "size": status.st_size, **entry})
                self._channel.send_content(descriptor)
            finally:
                os.close(descriptor)
        elif stat.S_ISDIR(status.st_mode):
            inner = os.open(name, _DIRECTORY, dir_fd=directory)
            self._channel.send_json(ENTRY, {"type": "directory", **entry})
            return inner
        elif stat.S_ISLNK(status.st_mode):
            target = os.readlink(name, dir_fd=directory)
            self._channel.send_json(ENTRY, {"type": "symlink", "target": to_wire(target), **entry})
        else:
            self._channel.send_json(ENTRY, {"type": "skipped", **entry})
        return None


def _differs(status: os.stat_result, directory: int, name: bytes) -> bool:
    try:
        return stat.S_IFMT(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode) != stat.S_IFMT(status.st_mode)
    except FileNotFoundError:
        return True


def unpack(channel: FileChannel, request: dict[str, Any]) -> dict[str, Any]:
    """Takes what is to be in a directory. Each file appears when it is complete; what has its name is replaced."""
    channel.uploading = True
    root = path_of(request)
    os.makedirs(root, exist_ok=True)
    path = [root]
    levels: list[tuple[int, int | None]] = [(os.open(root, os.O_RDONLY | os.O_DIRECTORY), None)]
    try:
        while (entry := channel.entry()) is not None:
            if entry["type"] == "leave":
                if len(levels) == 1:
                    raise Disconnected
                _leave(*levels.pop())
                path.pop()
                continue
            name = _own_name(entry)
            path.append(name)
            inner = _create(channel, levels[-1][0], name, entry)
            if inner is None:
                path.pop()
            elif len(levels) < MAX_DEPTH:
                levels.append((inner, entry.get("mode")))
            else:
                os.close(inner)
                raise OSError(errno.ELOOP, f"it is nested deeper than {MAX_DEPTH} directories")
            channel.beat()
    except OSError as error:
        raise OSError(error.errno, error.strerror, b"/".join(path)) from error
    finally:
        for directory, _ in levels:
            os.close(directory)
    return {}


def _create(channel: FileChannel, directory: int, name: bytes, entry: dict[str, Any]) -> int | None:
    if entry["type"] == "file":
        with Draft(directory, name) as draft:
            channel.store(draft.descriptor)
            draft.publish(entry["mode"])
    elif entry["type"] == "directory":
        try:
            os.mkdir(name, dir_fd=directory)
        except FileExistsError:
            pass
        return os.open(name, _DIRECTORY, dir_fd=directory)
    elif entry["type"] == "symlink":
        _link(from_wire(entry["target"]), directory, name)
    else:
        raise Disconnected
    return None


def _link(target: bytes, directory: int, name: bytes) -> None:
    try:
        os.symlink(target, name, dir_fd=directory)
    except FileExistsError:
        replace_mode(directory, name)
        os.unlink(name, dir_fd=directory)
        os.symlink(target, name, dir_fd=directory)


def _leave(directory: int, mode: int | None) -> None:
    try:
        if mode is not None:
            os.fchmod(directory, mode)
    except PermissionError:
        pass  # it was there before, and is somebody else's
    finally:
        os.close(directory)


def _own_name(entry: dict[str, Any]) -> bytes:
    name = from_wire(entry["name"])
    if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
        raise Disconnected
    return name
