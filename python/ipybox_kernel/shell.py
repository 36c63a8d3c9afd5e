"""IPython's shell, wired to the channel instead of a terminal."""

import asyncio
import contextlib
import functools
import os
import pdb
import site
import sys
import tempfile
from collections.abc import Callable
from subprocess import CalledProcessError
from typing import Any, NoReturn

from IPython.core import debugger
from IPython.core.autocall import ZMQExitAutocall
from IPython.core.builtin_trap import BuiltinTrap
from IPython.core.display_trap import DisplayTrap
from IPython.core.error import UsageError
from IPython.core.extensions import ExtensionManager
from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell, InteractiveShellABC
from IPython.core.magic import MagicsManager
from IPython.core.magics.script import ScriptMagics
from IPython.core.payload import PayloadManager
from IPython.utils.text import LSString, SList
from traitlets import Any as AnyTrait
from traitlets import Instance, Type, default, validate
from traitlets.config import Config

from . import immortal
from .cell_events import CellEvents
from .cell_loop import CellLoop, NamedRunner
from .channel import Channel
from .commands import read_command, run_command
from .displays import KernelDisplayHook, KernelDisplayPublisher
from .errors import describe_exception, exception_text, hide_own_frames
from .guard import shell_escape
from .history import SessionHistory
from .magics import KernelMagics
from .plain_cells import QuickPrefilterManager, QuickTransformerManager, is_several_lines
from .script_loop import ScriptLoop

#: Root's own, empty: nothing that a cell writes is read when the zygote starts again.
IPYTHON_DIR = "/run/ipybox/ipython"

#: What programs that a cell starts take into account; no pager, as nobody could turn its pages.
_ENVIRONMENT = {"TERM": "xterm-color", "PAGER": "cat", "GIT_PAGER": "cat"}

#: What somebody may replace to see each line.
_HOOKS_OF_LINES = frozenset({"prefilter_lines", "prefilter_line", "prefilter_line_info", "find_handler"})

#: What Python and `%tb` know of the last error.
_LAST_ERROR = ("last_exc", "last_type", "last_value", "last_traceback")

_KEEPS_NOTHING = contextlib.nullcontext()

#: Frontends that need no event loop beside the kernel's own.
_LOOPLESS_GUIS = (None, "inline", "nbagg", "webagg", "notebook", "ipympl", "widget", "asyncio")


class ZMQInteractiveShell(InteractiveShell):
    """The shell of a kernel. Libraries (pandas, rich, Plotly) know a notebook by this class's full name."""

    __module__ = "ipykernel.zmqshell"

    displayhook_class = Type(KernelDisplayHook)
    display_pub_class = Type(KernelDisplayPublisher)
    exiter = Instance(ZMQExitAutocall)
    #: ipykernel's kernel object; there is none. Libraries look whether it is there.
    kernel = AnyTrait()
    #: Traits of IPython's that nobody observes or configures, and each cell reads or sets: a trait takes ten times as long.
    last_execution_succeeded = True
    last_execution_result: ExecutionResult | None = None
    builtin_trap: BuiltinTrap = None  # type: ignore[assignment]
    display_formatter: DisplayFormatter = None  # type: ignore[assignment]
    display_trap: DisplayTrap = None  # type: ignore[assignment]
    history_manager: SessionHistory = None  # type: ignore[assignment]
    magics_manager: MagicsManager = None  # type: ignore[assignment]
    payload_manager: PayloadManager = None  # type: ignore[assignment]
    prefilter_manager: QuickPrefilterManager = None  # type: ignore[assignment]

    displayhook: KernelDisplayHook
    display_pub: KernelDisplayPublisher
    extension_manager: ExtensionManager
    channel: Channel
    #: Asked before a shell command is run: gives the one that may be. The body of a script magic comes with its interpreter.
    approve_command: Callable[[str, str | None], str] = staticmethod(lambda command, _: command)
    #: The exception that ended the running cell, as an ``error`` message's content.
    error: dict | None = None
    #: Whether the running cell's task was cancelled because of an interrupt.
    is_interrupted = False
    #: What ``exit(…)`` was given.
    keepkernel_on_exit: Any = None
    #: Whether the cell's value could not be shown.
    _result_failed = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._cell_loop = CellLoop()
        super().__init__(*args, **kwargs)

    @classmethod
    def warm(cls) -> "ZMQInteractiveShell":
        """A shell that has run a cell and forgotten it: a fork of it pays for neither."""
        os.makedirs(IPYTHON_DIR, exist_ok=True)
        config = Config()
        config.InteractiveShell.colors = "nocolor"
        config.InteractiveShell.ast_node_interactivity = "last_expr"
        config.HistoryManager.enabled = False
        config.IPKernelApp.quiet = True  # tqdm knows a notebook by this section
        # What `site` adds to the builtins; the zygote starts without it.
        site.sethelper()
        site.setcopyright()
        _use_interruptible_debugger()
        shell = cls.instance(config=config, ipython_dir=IPYTHON_DIR)
        shell._cell_loop.install()
        shell.extension_manager.load_extension("storemagic")
        immortal.keep()  # IPython collects garbage when it forgets what cells gave: now it has nothing to look through
        shell.rehearse("1 + 1", "print('warm')")
        return shell

    def rehearse(self, *cells: str) -> None:
        """Runs cells for what they import and cache, and forgets them."""
        self.channel = self.displayhook.channel = self.display_pub.channel = _Silence()
        of_the_module = {name: value for name, value in self.user_ns.items() if name.startswith("__")}
        streams = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = open(os.devnull, "w")
        for cell in cells:
            super().run_cell(cell, store_history=True)
        sys.stdout.close()
        sys.stdout, sys.stderr = streams
        self.reset(new_session=True)
        self.history_manager.forget_outputs()
        self.user_ns.update(of_the_module, _="")
        for name in _LAST_ERROR:
            vars(sys).pop(name, None)
        self.execution_count = 1
        self.error = None
        self.payloads.clear()

    def touch(self) -> None:
        """Runs a cell that leaves nothing behind but the pages of memory that any cell writes to."""
        touched = (self.user_ns, self.user_ns_hidden, self.displayhook.__dict__)
        before = [dict(names) for names in touched]
        self.run_cell("1", store_history=False)
        self.user_ns["_oh"].clear()
        self.history_manager.forget_outputs()
        for names, kept in zip(touched, before, strict=True):
            names.clear()
            names.update(kept)

    def connect(self, channel: Channel) -> None:
        self.channel = self.displayhook.channel = self.display_pub.channel = channel
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self.home_dir, self.starting_dir = os.path.expanduser("~"), os.getcwd()  # not the zygote's

    # --- cells --------------------------------------------------------------------------------

    def run_cell(self, *args: Any, **kwargs: Any) -> Any:
        self._result_failed = self.displayhook.showing = False
        was_interrupted, self.is_interrupted = self.is_interrupted, False  # a cell may run cells
        try:
            with self._cell_loop.offered(self.loop_runner):
                result = super().run_cell(*args, **kwargs)
            if not self._result_failed and not self._ended_with_shown_error(result):
                self.error = None
        finally:
            self.is_interrupted = was_interrupted
        return result

    def transform_cell(self, raw_cell: str) -> str:
        """Code for Python's own compiler; sooner where IPython would leave the cell as it is."""
        transformers = self.input_transformer_manager
        if (
            self.input_transformers_post
            or type(transformers) is not QuickTransformerManager
            or type(self.prefilter_manager) is not QuickPrefilterManager
            or "transform_cell" in vars(transformers)
            or not _HOOKS_OF_LINES.isdisjoint(vars(self.prefilter_manager))
            or (cell := transformers.plain(raw_cell)) is None
            or not (is_several_lines(cell) or self.prefilter_manager.leaves(cell))
        ):
            transformed: str = super().transform_cell(raw_cell)
            return transformed
        return cell

    def should_run_async(self, raw_cell: str, *, transformed_cell: str | None = None, **options: Any) -> bool:
        """IPython compiles a cell to find out. None without these words can have to: for that, they can't be written otherwise."""
        if transformed_cell is not None and "await" not in transformed_cell and "async" not in transformed_cell:
            return False
        return super().should_run_async(raw_cell, transformed_cell=transformed_cell, **options)

    def _ended_with_shown_error(self, result: ExecutionResult) -> bool:
        """An error may be shown by code that goes on: by ``%tb``, by ``%run``, by a display."""
        raised = result.error_before_exec or result.error_in_exec
        if raised is None or self.error is None:
            return False
        raised = self._as_shown(raised)
        return (type(raised).__name__, exception_text(raised)) == (self.error["ename"], self.error["evalue"])

    def _tee(self, channel: str) -> contextlib.nullcontext:  # type: ignore[override]
        """IPython keeps all that is printed, for ``%notebook``: a cell that prints on and on would fill the memory."""
        return _KEEPS_NOTHING

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        self._result_failed |= self.displayhook.showing
        error = describe_exception(etype, evalue, stb, self.compile)
        with self.channel.uninterrupted():  # it is known as shown, or it is not shown
            self.channel.message({"type": "error", **error})
            self.error = error

    def _get_exc_info(self, exc_tuple: Any = None) -> Any:
        evalue = self._as_shown(super()._get_exc_info(exc_tuple)[1])
        hide_own_frames(evalue)
        return type(evalue), evalue, evalue.__traceback__

    def _as_shown(self, error: BaseException) -> BaseException:
        """An interrupt of a cell that awaits comes to it as its task's cancellation."""
        if self.is_interrupted and isinstance(error, asyncio.CancelledError):
            return KeyboardInterrupt().with_traceback(error.__traceback__)
        return error

    def _format_exception_for_storage(self, exception: BaseException, *_: Any, **__: Any) -> dict:
        """For IPython's history: what was shown. Rendering it again costs as much, and may raise."""
        error = self.error or {"ename": type(exception).__name__, "evalue": "", "traceback": []}
        return {key: error[key] for key in ("ename", "evalue", "traceback")}

    def showtraceback(self, exc_tuple: Any = None, *args: Any, **kwargs: Any) -> None:
        if not self.channel.owned:
            _end_if_exit(self._get_exc_info(exc_tuple)[1])
        before = self.error
        try:
            super().showtraceback(exc_tuple, *args, **kwargs)
        except Exception as error:  # a broken __str__ or source file must not hide that the cell failed
            if self.error is not before:  # shown; it is the debugger of `%pdb` that failed
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
                return
            etype, evalue, _ = self._get_exc_info(exc_tuple)
            self._showtraceback(etype, evalue, [f"{etype.__name__}: its traceback can't be shown"])

    # --- payloads -----------------------------------------------------------------------------

    @property
    def payloads(self) -> list[dict]:
        """What the caller is asked to do, as Jupyter's payloads: show a text, offer the next input."""
        payloads: list[dict] = self.payload_manager.read_payload()
        if payloads:
            payloads[:] = [payload for payload in payloads if isinstance(payload.get("source"), str)]
        return payloads

    def set_next_input(self, text: str, replace: bool = False) -> None:
        self.payload_manager.write_payload({"source": "set_next_input", "text": str(text), "replace": bool(replace)})

    def ask_exit(self) -> NoReturn:
        """``exit()``: the cell ends, the kernel and its state stay."""
        code, self.keepkernel_on_exit = self.keepkernel_on_exit, None
        raise SystemExit if isinstance(code, bool) else SystemExit(code)

    @default("input_transformer_manager")
    def _default_transformer_manager(self) -> QuickTransformerManager:
        return QuickTransformerManager()

    @default("exiter")
    def _default_exiter(self) -> ZMQExitAutocall:
        return ZMQExitAutocall(self)

    # --- what IPython's parts are -------------------------------------------------------------

    def init_hooks(self) -> None:
        super().init_hooks()
        self.set_hook("show_in_pager", _show_in_pager, 99)

    def init_events(self) -> None:
        super().init_events()
        self.events = CellEvents.instead_of(self.events)

    def init_displayhook(self) -> None:
        super().init_displayhook()
        # Not as a trait: that takes several times as long to read, and each cell reads it thirty times.
        type(self.displayhook).shell = self

    def init_virtualenv(self) -> None:
        pass  # entered in spawn.py

    def init_sys_modules(self) -> None:
        # A cell's `__main__` is the user's namespace, so that pickle finds what a cell defines.
        super().init_sys_modules()
        sys.modules["__main__"] = self.user_module

    def init_prefilter(self) -> None:
        self.prefilter_manager = QuickPrefilterManager(shell=self, parent=self)
        self.configurables.append(self.prefilter_manager)  # type: ignore[arg-type]
        self.prefilter = self.prefilter_manager.prefilter_lines

    def init_history(self) -> None:
        self.history_manager = SessionHistory(shell=self, parent=self)
        self.configurables.append(self.history_manager)  # type: ignore[arg-type]

    def init_magics(self) -> None:
        self._ask_before_scripts()
        super().init_magics()
        self.register_magics(KernelMagics)
        self.magics_manager.register_alias("ed", "edit")

    def _ask_before_scripts(self) -> None:
        """``%%bash`` and its kin call ``%%script``. In their class: the
        instance is made later, and its magics are then those of the class."""
        run = ScriptMagics.shebang
        loop = ScriptLoop()

        @functools.wraps(run)
        def shebang(scripts: ScriptMagics, line: str, cell: str) -> Any:
            approved = self.approve_command(cell, line)
            token = shell_escape.set(True)
            try:
                with loop.lent_to(scripts):
                    return run(scripts, line, approved)
            finally:
                shell_escape.reset(token)

        ScriptMagics.shebang = shebang  # type: ignore[method-assign]

    @property  # type: ignore[misc]
    def db(self) -> Any:
        """What ``%store``, ``%bookmark`` and ``%cd`` keep, in the user's home."""
        if self._db is None:
            from IPython.external.pickleshare import PickleShareDB

            try:
                self._db = PickleShareDB(os.path.expanduser("~/.ipython/profile_default/db"))
            except OSError:  # a home that can't be written to
                self._db = PickleShareDB(tempfile.mkdtemp(prefix="ipython-"))
        return self._db

    @validate("loop_runner")
    def _import_runner(self, proposal: Any) -> Any:
        runner = super()._import_runner(proposal)
        if getattr(runner, "__module__", "").startswith("ipybox_kernel"):
            runner = NamedRunner(runner)
            self.loop_runner_map = {**self.loop_runner_map, "asyncio": (runner, True)}
        return runner

    def enable_gui(self, gui: str | None = None) -> None:
        if gui not in _LOOPLESS_GUIS:
            raise UsageError(f"Invalid GUI request {gui!r}, valid ones are: {', '.join(map(str, _LOOPLESS_GUIS))}")

    def system(self, cmd: str) -> None:
        command = self.approve_command(self.var_expand(cmd, depth=1), None)
        self.user_ns["_exit_code"] = code = run_command(command, self.channel)
        if self.system_raise_on_error and code != 0:
            raise CalledProcessError(code, cmd)

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """``x = !cmd`` and ``%sx``, as IPython has it but for the question."""
        command = self.approve_command(self.var_expand(cmd, depth=depth + 1), None)
        if command.rstrip().endswith("&"):
            raise OSError("Background processes not supported.")
        output = read_command(command, self.channel)
        return SList(output.splitlines()) if split else LSString(output)


def _use_interruptible_debugger() -> None:
    """Python's own debugger goes on waiting for its next command when the cell is interrupted."""
    pdb.Pdb = debugger.Pdb = debugger.InterruptiblePdb  # type: ignore[misc, assignment]
    pdb.set_trace = debugger.set_trace


def _end_if_exit(error: BaseException) -> None:
    """``sys.exit()`` in a process that a cell has forked: it ends as any program does."""
    if not isinstance(error, SystemExit):
        return
    if error.code is not None and not isinstance(error.code, int):
        print(error.code, file=sys.stderr)
    os._exit(error.code & 0xFF if isinstance(error.code, int) else 0 if error.code is None else 1)


def _show_in_pager(shell: ZMQInteractiveShell, data: Any, start: int, screen_lines: int) -> None:
    bundle = data if isinstance(data, dict) else {"text/plain": data}
    payload = {"source": "page", "data": bundle, "start": max(start, 0)}
    shell.payload_manager.write_payload(payload, single=False)


class _Silence(Channel):
    """The channel of the shell while it warms up."""

    owned = True

    def message(self, *_: Any, **__: Any) -> None:
        pass

    def value(self, *_: Any, **__: Any) -> None:
        pass

    def uninterrupted(self) -> contextlib.nullcontext:  # type: ignore[override]
        return contextlib.nullcontext()


InteractiveShellABC.register(ZMQInteractiveShell)
