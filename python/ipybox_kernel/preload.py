"""Packages that the image asks to import before the first fork, so that kernels have them at no cost."""

import os
import sys

_Identity = tuple[int, int, int] | None


class Preload:
    """Imports packages from the virtual environment, and notices when they change there.

    The zygote is root, and cells can write to the virtual environment. So this happens only when the
    container starts for the first time, before any cell has run.
    """

    def __init__(self, names: list[str], packages: str) -> None:
        path = list(sys.path)
        before = set(sys.modules)
        sys.path.append(packages)
        try:
            for name in names:
                __import__(name)
        finally:
            sys.path[:] = path
        files = {
            file
            for name in set(sys.modules) - before
            if "." not in name and (file := getattr(sys.modules[name], "__file__", None)) and file.startswith(packages)
        }
        self._identities = {file: _identity(file) for file in files}

    @property
    def stale(self) -> bool:
        """Whether one of the packages was changed or removed since: a fork would have the old one."""
        return any(_identity(file) != identity for file, identity in self._identities.items())


def _identity(file: str) -> _Identity:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
