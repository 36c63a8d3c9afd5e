"""One file's content, in and out."""

import errno
import os
import stat
from typing import Any

from .channel import INFO, FileChannel
from .draft import Draft, replace_mode
from .operations import describe, make_parents, path_of


def read(channel: FileChannel, request: dict[str, Any]) -> dict[str, Any]:
    path = path_of(request)
    descriptor = open_regular(path)
    try:
        channel.send_json(INFO, describe(path, True))
        channel.send_content(descriptor)
    finally:
        os.close(descriptor)
    return {}


def write(channel: FileChannel, request: dict[str, Any]) -> dict[str, Any]:
    channel.uploading = True
    path = path_of(request)
    if os.path.islink(path):
        path = os.path.realpath(path)  # the link stays, what it leads to is written
    if path.endswith(b"/"):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    make_parents(path)
    parent, name = os.path.split(path)
    directory = os.open(parent or b".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        mode = replace_mode(directory, name)
        with Draft(directory, name) as draft:
            channel.store(draft.descriptor)
            channel.end_upload()
            draft.publish(mode if request.get("mode") is None else request["mode"])
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        os.close(directory)
    return {}


def open_regular(path: bytes, directory: int | None = None, flags: int = 0) -> int:
    """Opens a file for reading. Neither a pipe that nobody writes to nor a device can hold it up."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | flags, dir_fd=directory)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, "it is no regular file", path)
