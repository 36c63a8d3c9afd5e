"""Cells without IPython's own syntax: its tokenizer, which is written in Python, need not look for any.

That takes an eighth of the time of a short cell, and the more, the longer the cell is.
"""

import re

from IPython.core import inputtransformer2
from IPython.core.inputtransformer2 import TransformerManager

#: The transforms that `_NOT_PLAIN` was written for. An IPython with others is left to do all itself.
_TRANSFORMS = [
    *("leading_empty_lines", "leading_indent", "classic_prompt", "ipython_prompt", "cell_magic"),
    *("MagicAssign", "SystemAssign", "EscapedCommand", "HelpEnd"),
]

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
        if _NOT_PLAIN.search(cell) or self._transforms() != self._known:
            transformed: str = super().transform_cell(cell)
            return transformed
        return cell if cell.endswith("\n") else f"{cell}\n"

    def _transforms(self) -> list:
        return self.cleanup_transforms + self.line_transforms + self.token_transformers
