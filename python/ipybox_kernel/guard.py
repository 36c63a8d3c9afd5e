"""Keeps cells from starting processes but by shell commands, when the program asks for that.

It is a guard against oversight, not a wall: code that means to finds a way round, for instance by a module of its own.
"""

import contextvars
import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

#: What Python tells of before a process is started, or becomes another program.
_STARTS = frozenset(("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn"))

#: Modules that start what their caller has asked for.
_STARTERS = frozenset(("subprocess", "os", "posix", "pty", "asyncio", "concurrent", "threading", "multiprocessing", "contextlib"))


#: Whether a shell command is being run; the loop that runs scripts in a thread of its own inherits it.
shell_escape: contextvars.ContextVar[bool] = contextvars.ContextVar("ipybox_shell_escape", default=False)


class ProcessGuard:
    def __init__(self, shell: InteractiveShell, is_on: Callable[[], bool]) -> None:
        self._shell = shell
        self._is_on = is_on
        self._installed = False

    def install(self) -> None:
        """Once it is there, Python keeps the hook for good; so it is not before it is wanted."""
        if not self._installed:
            self._installed = True
            sys.addaudithook(self._audit)

    def _audit(self, event: str, _: tuple[Any, ...]) -> None:
        if event not in _STARTS or not self._is_on() or shell_escape.get() or not self._is_asked_by_cell(sys._getframe(1)):
            return
        raise PermissionError(
            f"{event}: cells may start processes by shell commands alone (requireShellEscape). "
            "Write it as `!command`, or `%%bash` for several lines"
        )

    def _is_asked_by_cell(self, frame: FrameType | None) -> bool:
        """Whether the code of a cell is the first that is no mere way to start a process."""
        while frame is not None and _is_starter(frame):
            frame = frame.f_back
        if frame is None:  # handed to a thread as it is
            return True
        cells: dict[str, int] = getattr(self._shell.compile, "_filename_map", {})
        return frame.f_code.co_filename in cells or frame.f_globals is self._shell.user_ns


def _is_starter(frame: FrameType) -> bool:
    name: object = frame.f_globals.get("__name__")
    if name == "ipybox_kernel.threads":  # where threads begin
        return True
    file = frame.f_code.co_filename
    own = file.startswith(("<frozen ", os.path.dirname(os.__file__) + os.sep)) and "-packages" + os.sep not in file
    return own and isinstance(name, str) and name.partition(".")[0] in _STARTERS
