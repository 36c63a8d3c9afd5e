"""Cells without IPython's own syntax: its tokenizer, which is written in Python, need not look for any.

That takes a fifth of the time of a short cell, and the more, the longer the cell is.
"""

import re
from typing import Any

from IPython.core import inputtransformer2
from IPython.core.autocall import IPyAutocall
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.macro import Macro
from IPython.core.prefilter import PrefilterHandler, PrefilterManager

#: The transforms that `_NOT_PLAIN` was written for. An IPython with others is left to do all itself.
_TRANSFORMS = [
    *("leading_empty_lines", "leading_indent", "classic_prompt", "ipython_prompt", "cell_magic"),
    *("MagicAssign", "SystemAssign", "EscapedCommand", "HelpEnd"),
]

#: The same for what looks at cells of one line.
_CHECKERS = [
    *("EmacsChecker", "MacroChecker", "IPyAutocallChecker", "AssignmentChecker"),
    *("AutoMagicChecker", "PythonOpsChecker", "AutocallChecker"),
]

#: What they look up.
_FIRST_WORD = re.compile(r"[\w.*]*")

#: What IPython may change, or find wrong: magics, shell commands, questions for help; lines that begin with an escape, with a
#: prompt, or indented; nothing, or an empty line, at the start; ends of lines that Python doesn't know; halves of characters.
_NOT_PLAIN = re.compile(
    r"[%!?\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029\ud800-\udfff]|^(?:[^\S\n]|[,;/>.\[]|In \[)|\A(?:\n|\Z)",
    re.MULTILINE,
)


class QuickTransformerManager(TransformerManager):
    """Transforms as IPython does, and sooner where there is nothing to transform."""

    def __init__(self) -> None:
        super().__init__()
        self._known = [getattr(inputtransformer2, name, None) for name in _TRANSFORMS]

    def transform_cell(self, cell: str) -> str:
        plain = self.plain(cell)
        transformed: str = super().transform_cell(cell) if plain is None else plain
        return transformed

    def plain(self, cell: str) -> str | None:
        """What a cell becomes that has nothing to transform; None for others."""
        if _NOT_PLAIN.search(cell) or self._transforms() != self._known:
            return None
        return cell if cell.endswith("\n") else f"{cell}\n"

    def _transforms(self) -> list:
        return self.cleanup_transforms + self.line_transforms + self.token_transformers


class QuickPrefilterManager(PrefilterManager):
    """Filters as IPython does; tells of which lines it makes nothing else."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._at_first = list(self._checkers)
        self._is_known = [type(checker).__name__ for checker in self._checkers] == _CHECKERS

    def leaves(self, line: str) -> bool:
        """Whether a plain line stays as it is: it does not begin with the name of a macro, of what is called by its name alone, or
        of a magic."""
        if not self._is_known or self._checkers != self._at_first or self._transformers or self._normal is not PrefilterHandler:
            return False
        match = _FIRST_WORD.match(line)
        name = match.group() if match else ""
        shell: Any = self.shell
        magics = shell.magics_manager
        is_magic = name in magics.magics["line"] or name in magics.lazy_magics
        return not is_magic and not isinstance(shell.user_ns.get(name), (Macro, IPyAutocall)) and not shell.autocall

    @property
    def _normal(self) -> type:
        return type(self._handlers.get("normal"))


#: As `%config` lists it.
QuickPrefilterManager.__name__ = PrefilterManager.__name__


def is_several_lines(cell: str) -> bool:
    """Of a plain cell: IPython filters no more than one."""
    return cell.find("\n", 0, -1) >= 0
