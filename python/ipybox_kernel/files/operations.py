"""What is done with files by their names. Paths are bytes; errors are what the system says."""

import os
import stat
from collections.abc import Callable
from typing import Any

from .channel import ENTRIES, FileChannel, from_wire, to_wire

_BATCH = 256


def path_of(request: dict[str, Any], key: str = "path") -> bytes:
    return from_wire(request[key])


def describe(path: bytes, follow: bool, directory: int | None = None) -> dict[str, Any]:
    status = os.stat(path, dir_fd=directory, follow_symlinks=follow)
    info = {
        "type": kind_of(status.st_mode),
        "size": status.st_size,
        "mode": stat.S_IMODE(status.st_mode),
        "modified": status.st_mtime_ns // 1_000_000,
        "uid": status.st_uid,
        "gid": status.st_gid,
    }
    if stat.S_ISLNK(status.st_mode):
        info["target"] = to_wire(os.readlink(path, dir_fd=directory))
    return info


def kind_of(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "symlink" if stat.S_ISLNK(mode) else "other"


def stat_(channel: FileChannel, request: dict[str, Any]) -> dict[str, Any]:
    return describe(path_of(request), request["follow"])


def list_(channel: FileChannel, request: dict[str, Any]) -> dict[str, Any]:
    """Tells of each entry below a directory, with its path from there. Links are not followed."""
    root, recursive = path_of(request), request["recursive"]
    waiting = [b""]
    batch: list[dict[str, Any]] = []
    while waiting:
        prefix = waiting.pop()
        for name, directory in _entries(root, prefix):
            path = prefix + name
            try:
                info = describe(name, False, directory)
            except FileNotFoundError:
                continue  # removed meanwhile
            batch.append({"path": to_wire(path), **info})
            if len(batch) == _BATCH:
                channel.send_list(ENTRIES, batch)
                batch = []
            channel.beat()
            if recursive and info["type"] == "directory":
                waiting.append(path + b"/")
    if batch:
        channel.send_list(ENTRIES, batch)
    return {}


def _entries(root: bytes, prefix: bytes) -> Any:
    try:
        # What has become a link since it was listed is not followed; the first one was asked for.
        flags = os.O_RDONLY | os.O_DIRECTORY | (os.O_NOFOLLOW if prefix else 0)
        directory = os.open(os.path.join(root, prefix) if prefix else root, flags)
    except (FileNotFoundError, NotADirectoryError):
        if prefix:
            return
        raise
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                yield os.fsencode(entry.name), directory
    finally:
        os.close(directory)


def mkdir(channel: FileChannel, request: dict[str, Any]) -> dict[str, Any]:
    path = path_of(request)
    os.makedirs(path, exist_ok=True)
    if request.get("mode") is not None:
        os.chmod(path, request["mode"])
    return {}


def rename(channel: FileChannel, request: dict[str, Any]) -> dict[str, Any]:
    source, target = path_of(request), path_of(request, "to")
    os.lstat(source)
    make_parents(target)
    os.rename(source, target)
    return {}


def remove(channel: FileChannel, request: dict[str, Any]) -> dict[str, Any]:
    path = path_of(request)
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        os.unlink(path)
    elif request["recursive"]:
        _remove_tree(path, channel.beat)
    else:
        os.rmdir(path)
    return {}


def make_parents(path: bytes) -> None:
    parent = os.path.dirname(path.rstrip(b"/"))
    if parent:
        os.makedirs(parent, exist_ok=True)


def _remove_tree(root: bytes, beat: Callable[[], None]) -> None:
    """Goes down by descriptors: what becomes a link meanwhile is removed, not followed."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    path = [root.rstrip(b"/") or b"/"]
    open_directories = [os.open(path[0], flags)]
    try:
        while open_directories:
            directory = open_directories[-1]
            inner = _unlink_all(directory, beat)
            if inner is not None:
                open_directories.append(os.open(inner, flags, dir_fd=directory))
                path.append(inner)
                continue
            os.close(open_directories.pop())
            parent = open_directories[-1] if open_directories else None
            os.rmdir(path.pop(), dir_fd=parent)
    except OSError as error:
        # Names are relative to a descriptor: the whole path helps more.
        name = error.filename if isinstance(error.filename, bytes) else b""
        whole = b"/".join([*path, name] if name and path and name != path[-1] else path)
        raise OSError(error.errno, error.strerror, whole or root) from error
    finally:
        for directory in open_directories:
            os.close(directory)


def _unlink_all(directory: int, beat: Callable[[], None]) -> bytes | None:
    """Removes what is no directory; gives the first directory that it meets."""
    with os.scandir(directory) as entries:
        for entry in entries:
            beat()
            name = os.fsencode(entry.name)
            if entry.is_dir(follow_symlinks=False):
                return name
            try:
                os.unlink(name, dir_fd=directory)
            except FileNotFoundError:
                pass
    return None
