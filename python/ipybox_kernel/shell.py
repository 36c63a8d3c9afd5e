"""IPython's shell, wired to the channel instead of a terminal."""

import os
import subprocess
import sys
import traceback
from typing import Any

from IPython.core.interactiveshell import InteractiveShell, InteractiveShellABC
from traitlets import Type
from traitlets.config import Config

from .channel import Channel
from .displays import KernelDisplayHook, KernelDisplayPublisher
from .errors import describe_exception
from .streams import OutStream

#: Root's own, empty: nothing that a cell writes is read when the zygote starts again.
IPYTHON_DIR = "/run/ipybox/ipython"


class KernelShell(InteractiveShell):
    displayhook_class = Type(KernelDisplayHook)
    display_pub_class = Type(KernelDisplayPublisher)

    channel: Channel
    #: The exception that ended the running cell, as an ``error`` message's content.
    error: dict | None = None
    #: Text for a pager, as Jupyter's payloads.
    payloads: list[dict]

    @classmethod
    def warm(cls) -> "KernelShell":
        """A shell that has run a cell and forgotten it: a fork of it pays for neither."""
        os.makedirs(IPYTHON_DIR, exist_ok=True)
        config = Config()
        config.InteractiveShell.colors = "nocolor"
        config.InteractiveShell.ast_node_interactivity = "last_expr"
        config.HistoryManager.enabled = False
        shell = cls.instance(config=config, ipython_dir=IPYTHON_DIR)
        shell.payloads = []
        shell.connect(_Silence())  # type: ignore[arg-type]
        streams = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = open(os.devnull, "w")
        for cell in ("1 + 1", "print('warm')", "import asyncio", "%who", "1 / 0", "str?"):
            shell.run_cell(cell, store_history=True)
        sys.stdout.close()
        sys.stdout, sys.stderr = streams
        shell.reset(new_session=True)
        shell.execution_count = 1
        shell.error = None
        shell.payloads.clear()
        return shell

    def connect(self, channel: Channel, streams: tuple[OutStream, ...] = ()) -> None:
        self.channel = self.displayhook.channel = self.display_pub.channel = channel
        self._streams = streams

    def flush_streams(self) -> None:
        for stream in self._streams:
            stream.flush()

    def init_hooks(self) -> None:
        super().init_hooks()
        self.set_hook("show_in_pager", _show_in_pager, 99)

    def init_virtualenv(self) -> None:
        pass  # entered in spawn.py

    def init_sys_modules(self) -> None:
        # A cell's `__main__` is the user's namespace, so that pickle finds what a cell defines.
        super().init_sys_modules()
        sys.modules["__main__"] = self.user_module

    def system(self, cmd: str) -> None:  # type: ignore[override]
        """``!cmd``: a shell that writes to the kernel's own file descriptors, so the order holds."""
        self.flush_streams()
        process = subprocess.Popen(self.var_expand(cmd, depth=1), shell=True, executable="/bin/bash")
        try:
            self.user_ns["_exit_code"] = process.wait()
        except KeyboardInterrupt:
            # The whole process group was interrupted; what ignores that must not outlive the cell.
            try:
                process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            raise

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        self.flush_streams()
        self.error = describe_exception(etype, evalue, stb, self.compile)
        self.channel.message({"type": "error", **self.error})

    def showtraceback(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().showtraceback(*args, **kwargs)
        except Exception:  # a broken __repr__ or source file must not hide that the cell failed
            etype, evalue, _ = sys.exc_info()
            assert etype is not None and evalue is not None
            self._showtraceback(etype, evalue, traceback.format_exc().splitlines())


def _show_in_pager(shell: KernelShell, data: Any, start: int, screen_lines: int) -> None:
    bundle = data if isinstance(data, dict) else {"text/plain": data}
    shell.payloads.append({"source": "page", "data": bundle, "start": start})


class _Silence:
    """The channel of the shell while it warms up."""

    def message(self, *_: Any, **__: Any) -> None:
        pass


InteractiveShellABC.register(KernelShell)
