"""A file that gets its name only when it is complete."""

import errno
import functools
import os
import stat
from types import TracebackType

#: What begins like this is a file that is being written; a watch does not tell of it.
DRAFT_PREFIX = b".ipybox-"
_UNNAMED = getattr(os, "O_TMPFILE", 0)


class Draft:
    """A file without a name, where the file system knows such; else one with a name that nobody asks for.

    Leaving its ``with`` block without ``publish()`` leaves nothing.
    """

    def __init__(self, directory: int, name: bytes) -> None:
        self._directory = directory
        self._name = name
        self._own_name: bytes | None = None
        self.descriptor = self._open_unnamed()
        if self.descriptor < 0:
            self._own_name = _fresh_name()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            self.descriptor = os.open(self._own_name, flags, 0o600, dir_fd=directory)

    def publish(self, mode: int) -> None:
        """Gives the file its name, in place of a file or link that has it."""
        os.fchmod(self.descriptor, mode)
        try:
            self._link(self._name)
        except FileExistsError:
            replace_mode(self._directory, self._name)
            if self._own_name is None:
                self._own_name = _fresh_name()
                self._link(self._own_name)
            self._rename()
        except OSError as error:
            # A file system without hard links.
            if self._own_name is None or error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK):
                raise
            replace_mode(self._directory, self._name)
            self._rename()

    def __enter__(self) -> "Draft":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self.descriptor)
        if self._own_name is not None:
            try:
                os.unlink(self._own_name, dir_fd=self._directory)
            except FileNotFoundError:
                pass

    def _open_unnamed(self) -> int:
        if not _UNNAMED or not _can_link_descriptors():
            return -1
        try:
            return os.open(b".", _UNNAMED | os.O_WRONLY, 0o600, dir_fd=self._directory)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
                raise
            return -1

    def _link(self, name: bytes) -> None:
        if self._own_name is None or name == self._own_name:
            os.link(f"/proc/self/fd/{self.descriptor}".encode(), name, dst_dir_fd=self._directory, follow_symlinks=True)
        else:
            os.link(self._own_name, name, src_dir_fd=self._directory, dst_dir_fd=self._directory, follow_symlinks=False)

    def _rename(self) -> None:
        assert self._own_name is not None
        os.rename(self._own_name, self._name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        self._own_name = None


@functools.cache
def _can_link_descriptors() -> bool:
    """Whether a file without a name can be given one: a process that must not be traced can't see its own descriptors."""
    return os.access("/proc/self/fd/0", os.F_OK)


def replace_mode(directory: int, name: bytes) -> int:
    """The mode that a file is to have which takes the place of what has this name; an error when that must not be."""
    try:
        mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return 0o666 & ~_umask()
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
        raise OSError(errno.EINVAL, "it is no regular file", name)
    return stat.S_IMODE(mode) if stat.S_ISREG(mode) else 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _fresh_name() -> bytes:
    return DRAFT_PREFIX + os.urandom(8).hex().encode()
