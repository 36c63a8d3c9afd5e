"""Deletes all that is below a directory, however deep it is nested: ``python3 -I -S empty_tree.py DIRECTORY``.

Directories are moved up before they are gone into, so that no path gets long and two descriptors suffice. It must be one
file system, and nobody may write to it; others may delete at the same time.
"""

import errno
import itertools
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def empty(place: str) -> None:
    """Leaves the directory itself. Raises an OSError for what can't be deleted."""
    top = os.open(place, _FLAGS)
    # Nothing has such a name already. No directory is made for them: the disk may be full.
    prefix = secrets.token_hex(8)
    names = (f".{prefix}-{number}" for number in itertools.count())
    pending = [name for name in os.listdir(top) if not _unlinked(name, top)]
    while pending:
        name = pending.pop()
        with suppress(FileNotFoundError):
            pending += _clear(os.open(name, _FLAGS, dir_fd=top), top, names)
            try:
                os.rmdir(name, dir_fd=top)
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:
                    raise
                pending.append(name)  # a listing may miss what is behind something that is deleted meanwhile
    os.close(top)


def _clear(directory: int, top: int, names: Iterator[str]) -> list[str]:
    """Deletes files and moves directories up; gives the names that these have there."""
    moved = []
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    name = next(names)
                    os.rename(entry.name, name, src_dir_fd=directory, dst_dir_fd=top)
                    moved.append(name)
                else:
                    os.unlink(entry.name, dir_fd=directory)
    os.close(directory)
    return moved


def _unlinked(name: str, top: int) -> bool:
    """Deletes what is no directory. False for one."""
    with suppress(FileNotFoundError):
        if stat.S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
            return False
        os.unlink(name, dir_fd=top)
    return True


if __name__ == "__main__":
    empty(*sys.argv[1:])
