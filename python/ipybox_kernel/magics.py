"""Magics that a kernel answers in its own way: it has no terminal, and its caller has the editor."""

from pathlib import Path
from typing import Any

from IPython.core import page
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.core.magics.code import CodeMagics, MacroToEdit
from IPython.utils import openpy


@magics_class
class KernelMagics(Magics):
    shell: InteractiveShell

    @line_magic
    def less(self, arg_s: str) -> None:
        """Show a file through the pager.

        Files ending in .py are syntax-highlighted."""
        self._page_file(arg_s)

    @line_magic
    def more(self, arg_s: str) -> None:
        """Show a file through the pager.

        Files ending in .py are syntax-highlighted."""
        self._page_file(arg_s)

    def _page_file(self, name: str) -> None:
        if not name:
            raise UsageError("Missing filename.")
        if name.endswith(".py"):
            text = self.shell.pycolorize(openpy.read_py_file(name, skip_encoding_cookie=False))
        else:
            with open(name) as file:
                text = file.read()
        page.page(text)

    @line_magic
    def man(self, arg_s: str) -> None:
        """Find the man page for the given command and display in pager."""
        page.page(self.shell.getoutput(f"man {arg_s} | col -b", split=False))

    @line_magic
    def edit(self, arg_s: str = "", last_call: Any = None) -> None:
        """Tell the caller which file and line to open in an editor."""
        opts, args = self.parse_options(arg_s, "prn:")
        try:
            filename, line, _ = CodeMagics._find_edit_target(self.shell, args, opts, last_call or ["", ""])
        except MacroToEdit:
            raise UsageError("A macro can't be edited.") from None
        payload = {"source": "edit_magic", "filename": str(Path(filename).resolve()), "line_number": line}
        assert self.shell.payload_manager is not None
        self.shell.payload_manager.write_payload(payload)
