"""IPython's shell, wired to the channel instead of a terminal."""

import os
import signal
import subprocess
import sys
from typing import Any

from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import InteractiveShell, InteractiveShellABC
from traitlets import Type
from traitlets.config import Config

from .channel import Channel
from .displays import KernelDisplayHook, KernelDisplayPublisher
from .errors import describe_exception

#: Root's own, empty: nothing that a cell writes is read when the zygote starts again.
IPYTHON_DIR = "/run/ipybox/ipython"


class KernelShell(InteractiveShell):
    displayhook_class = Type(KernelDisplayHook)
    display_pub_class = Type(KernelDisplayPublisher)

    displayhook: KernelDisplayHook
    display_pub: KernelDisplayPublisher
    display_formatter: DisplayFormatter
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
        shell.rehearse("1 + 1", "print('warm')")
        return shell

    def rehearse(self, *cells: str) -> None:
        """Runs cells for what they import and cache, and forgets them."""
        self.connect(_Silence())  # type: ignore[arg-type]
        streams = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = open(os.devnull, "w")
        for cell in cells:
            self.run_cell(cell, store_history=True)
        sys.stdout.close()
        sys.stdout, sys.stderr = streams
        self.reset(new_session=True)
        self.execution_count = 1
        self.error = None
        self.payloads.clear()

    def connect(self, channel: Channel) -> None:
        self.channel = self.displayhook.channel = self.display_pub.channel = channel

    def init_hooks(self) -> None:
        super().init_hooks()
        self.set_hook("show_in_pager", _show_in_pager, 99)

    def init_virtualenv(self) -> None:
        pass  # entered in spawn.py

    def init_sys_modules(self) -> None:
        # A cell's `__main__` is the user's namespace, so that pickle finds what a cell defines.
        super().init_sys_modules()
        sys.modules["__main__"] = self.user_module

    def system(self, cmd: str) -> None:
        """``!cmd``: a shell that writes to the kernel's own file descriptors, so the order holds."""
        process: subprocess.Popen | None = None
        try:
            with self.channel.uninterrupted():
                process = subprocess.Popen(self.var_expand(cmd, depth=1), shell=True, executable="/bin/bash")
            self.user_ns["_exit_code"] = process.wait()
        except KeyboardInterrupt:
            if process is not None:
                _end(process)
            raise

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        self.error = describe_exception(etype, evalue, stb, self.compile)
        self.channel.message({"type": "error", **self.error})

    def _format_exception_for_storage(self, exception: BaseException, *_: Any, **__: Any) -> dict:
        """For IPython's history: what was shown. Rendering it again costs as much, and may raise."""
        error = self.error or {"ename": type(exception).__name__, "evalue": "", "traceback": []}
        return {key: error[key] for key in ("ename", "evalue", "traceback")}

    def showtraceback(self, exc_tuple: Any = None, *args: Any, **kwargs: Any) -> None:
        etype, evalue, _ = self._get_exc_info(exc_tuple)
        try:
            super().showtraceback(exc_tuple, *args, **kwargs)
        except Exception:  # a broken __str__ or source file must not hide that the cell failed
            self._showtraceback(etype, evalue, [f"{etype.__name__}: its traceback can't be shown"])


def _end(process: subprocess.Popen) -> None:
    """The process group was interrupted; what ignored that, or started later, must not outlive the cell."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _show_in_pager(shell: KernelShell, data: Any, start: int, screen_lines: int) -> None:
    bundle = data if isinstance(data, dict) else {"text/plain": data}
    shell.payloads.append({"source": "page", "data": bundle, "start": start})


class _Silence:
    """The channel of the shell while it warms up."""

    def message(self, *_: Any, **__: Any) -> None:
        pass


InteractiveShellABC.register(KernelShell)
