"""What the users' processes have written to the sandbox's own disk: ``python3 -I -S disk_usage.py SINCE ENOUGH SECONDS``.

Runs once and ends, as the users' own user: the agent starts it, and root without its capabilities can't look
into directories of others. Prints a line of JSON: ``bytes``; ``complete``, which is false when the walk ended
before it was done, because it had found ``ENOUGH`` or taken ``SECONDS``; and ``written``, what each session (a kernel and what its cells have started) has ever written, by the id
of its first process.

A file is new when its inode has changed since the sandbox started (``SINCE``, a Unix time): nobody can set that time.
What is deleted but still open counts as long as it is open. Directories that are nested deeper than any path reaches
are cut into pieces: an engine could not delete them.
"""

import contextlib
import json
import os
import stat
import sys
import time

#: Made with the image: what others than root can write to.
_PLACES = "/opt/ipybox/writable"
#: What a file takes at least, with its inode, and a further name of it.
_FILE_BYTES = 4096
_NAME_BYTES = 256
#: No path of a program reaches deeper.
_MAX_DEPTH = 2048
_BLOCK = 512


class Usage:
    """Adds up files, each inode once."""

    def __init__(self, since: float, enough: int, seconds: float) -> None:
        self.bytes = 0
        #: Whether something could not be looked at in time.
        self.leaves_out = False
        self._enough = enough
        self._since = since
        self._deadline = time.monotonic() + seconds
        self._device = os.stat("/").st_dev
        self._links: set[int] = set()
        self._pieces: list[str] = []

    @property
    def complete(self) -> bool:
        return self.bytes < self._enough and self._in_time

    @property
    def _in_time(self) -> bool:
        return time.monotonic() < self._deadline

    def add(self, status: os.stat_result) -> None:
        if status.st_ctime < self._since or status.st_dev != self._device:
            return
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            if status.st_ino in self._links:
                self.bytes += _NAME_BYTES
                return
            self._links.add(status.st_ino)
        self.bytes += max(status.st_blocks * _BLOCK, _FILE_BYTES)

    def add_deleted(self, status: os.stat_result) -> None:
        """Adds a file without a name, which several processes may have open."""
        if status.st_dev == self._device and status.st_ino not in self._links:
            self._links.add(status.st_ino)
            self.bytes += status.st_blocks * _BLOCK

    def walk(self, place: str) -> None:
        """Adds what is at and below a path, without leaving its file system or following links."""
        try:
            status = os.lstat(place)
        except OSError:
            return
        self.add(status)
        if not stat.S_ISDIR(status.st_mode):
            return
        self._pieces = []
        try:
            top = os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return
        self._walk_below(place, top)
        for piece in self._pieces:  # grows meanwhile
            self._walk_below(os.path.join(place, piece), top)
        os.close(top)

    def _walk_below(self, path: str, top: int) -> None:
        # Directories are gone into by their names, one after the other: a path may be too long to be said.
        stack: list[_Directory] = []
        try:
            self._enter(path, None, stack)
            # When there is enough, what is left to do is to cut what is too deep to be removed.
            while stack and self._in_time:
                self._step(stack, top)
        finally:
            for directory in reversed(stack):
                directory.leave()

    def _step(self, stack: "list[_Directory]", top: int) -> None:
        directory = stack[-1]
        for entry in directory.entries:
            if len(stack) == 1 and entry.name in self._pieces:
                continue
            if not self.complete and not entry.is_dir(follow_symlinks=False):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # gone meanwhile
            self.add(status)
            if stat.S_ISDIR(status.st_mode) and status.st_dev == self._device:
                if len(stack) < _MAX_DEPTH:
                    self._enter(entry.name, directory.descriptor, stack)
                else:
                    self._cut(entry.name, directory.descriptor, top)
                return
        # With enough, one way down is all: that of a tree which is only deep.
        for _ in range(1 if self.complete else len(stack)):
            stack.pop().leave()

    def _enter(self, name: str, parent: int | None, stack: "list[_Directory]") -> None:
        try:
            stack.append(_Directory(name, parent))
        except OSError:
            pass  # gone meanwhile, or not the users'

    def _cut(self, name: str, parent: int, top: int) -> None:
        piece = f".deep-{os.getpid()}-{len(self._pieces)}"
        try:
            os.rename(name, piece, src_dir_fd=parent, dst_dir_fd=top)
        except OSError:
            return
        self._pieces.append(piece)


class _Directory:
    """An open directory. One that its owner can't look into is opened for as long as it takes."""

    def __init__(self, name: str, parent: int | None) -> None:
        self._mode: int | None = None
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        if mode & (stat.S_IRUSR | stat.S_IXUSR) != stat.S_IRUSR | stat.S_IXUSR:
            os.chmod(name, stat.S_IMODE(mode) | stat.S_IRUSR | stat.S_IXUSR, dir_fd=parent)
            self._mode = stat.S_IMODE(mode)
        self.descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        self.entries = os.scandir(self.descriptor)

    def leave(self) -> None:
        self.entries.close()
        if self._mode is not None:
            os.fchmod(self.descriptor, self._mode)
        os.close(self.descriptor)


def bytes_written() -> dict[int, int]:
    """What each session has written."""
    written: dict[int, int] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # a process can name itself by any bytes
                session = int(file.read().rpartition(b")")[2].split()[3])
            with open(f"/proc/{name}/io") as file:
                counters = dict(line.split(": ") for line in file.read().splitlines())
        except OSError:
            continue  # ended meanwhile, or another user's
        written[session] = written.get(session, 0) + int(counters["write_bytes"])
    return written


def look_for_deleted(usage: Usage, seconds: float) -> None:
    """Adds deleted files that are open; gives up after a while, since the descriptors may be millions."""
    deadline = time.monotonic() + seconds
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # ended meanwhile, or another user's
            for descriptor in os.listdir(f"/proc/{name}/fd"):
                if time.monotonic() > deadline:
                    usage.leaves_out = True
                    return
                _add_deleted(usage, f"/proc/{name}/fd/{descriptor}")


def _add_deleted(usage: Usage, path: str) -> None:
    try:
        status = os.stat(path)
    except OSError:
        return
    if status.st_nlink == 0 and stat.S_ISREG(status.st_mode):
        usage.add_deleted(status)


def main(since: float, enough: int, seconds: float) -> None:
    os.nice(10)
    usage = Usage(since, enough, seconds)
    written = bytes_written()
    look_for_deleted(usage, seconds / 4)
    with open(_PLACES) as file:
        for place in file.read().splitlines():
            usage.walk(place)
    complete = usage.complete and not usage.leaves_out
    print(json.dumps({"bytes": usage.bytes, "complete": complete, "written": written}))


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
