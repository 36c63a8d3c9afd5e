"""Deletes all that is below a directory, however deep it is nested: ``python3 -I -S empty_tree.py DIRECTORY``.

Directories are moved up before they are gone into, so that no path gets long and two descriptors suffice. It must be one
file system, and nobody may write to it; others may delete at the same time.
"""

import errno
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def empty(place: str) -> None:
    """Leaves the directory itself. Raises an OSError for what can't be deleted."""
    # A directory of its own, in which no name is taken.
    top = tempfile.mkdtemp(prefix=".empty-", dir=place)
    up = os.open(top, _FLAGS)
    names = map(str, itertools.count())
    pending = _clear(os.open(place, _FLAGS), up, names, keep=os.path.basename(top))
    while pending:
        name = pending.pop()
        with suppress(FileNotFoundError):
            pending += _clear(os.open(name, _FLAGS, dir_fd=up), up, names)
            try:
                os.rmdir(name, dir_fd=up)
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:
                    raise
                pending.append(name)  # a listing may miss what is behind something that is deleted meanwhile
    os.close(up)
    os.rmdir(top)


def _clear(directory: int, up: int, names: Iterator[str], keep: str | None = None) -> list[str]:
    """Deletes files and moves directories up; gives the names that these have there."""
    moved = []
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.name, dir_fd=directory)
                elif entry.name != keep:
                    name = next(names)
                    os.rename(entry.name, name, src_dir_fd=directory, dst_dir_fd=up)
                    moved.append(name)
    os.close(directory)
    return moved


if __name__ == "__main__":
    empty(*sys.argv[1:])
