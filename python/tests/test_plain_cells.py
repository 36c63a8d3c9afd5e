"""Where IPython has nothing to transform, the quick way gives the same."""

import random

import pytest
from IPython.core import inputtransformer2
from IPython.core.inputtransformer2 import TransformerManager

from ipybox_kernel.plain_cells import QuickTransformerManager

PLAIN = ["1+1", "x = 1\ny = 2\n", "# %", "f'{a}'", "a\n\nb", "é = 'ü'", "1 $ 2", "x = 'abc", "(1\n", "a\\\n", "import os; os"]

SPECIAL = [
    "",
    "\n",
    "\n\nx",
    "  x = 1\n  y = 2",
    "%matplotlib inline",
    "%%bash\nls",
    "!ls",
    "a = !ls",
    "a = %sql select",
    "str?",
    "?str",
    ",f a b",
    ";f a b",
    "/f a",
    ">>> 1\n... 2",
    "In [1]: x\n   ...: y",
    "x\n>>> y",
    "[nav] In [1]: x",
    "if 1:\n    x\n  y\n",
    "if x:\n        y\n\tz\n",
    "x\r\ny",
    "x\x0cy",
    "x\u2028%y",
    "\xa0\nx = 1",
    "\u3000\n\nx = 1",
    "\x1f\nx = 1",
    "\xa0>>> 1+1",
    "x\n\u3000>>> y",
    "x\n\xa0...: y",
    "\xa0x = 1",
    "x = '\ud800'",
    "def f():\n    %time x\n",
]


def outcome(manager: TransformerManager, cell: str) -> object:
    try:
        return manager.transform_cell(cell)
    except Exception as error:  # of IPython's tokenizer
        return type(error), str(error)


@pytest.mark.parametrize("cell", PLAIN + SPECIAL, ids=repr)
def test_a_cell_is_transformed_as_by_ipython(cell: str) -> None:
    # verifies: EXEC-01
    assert outcome(QuickTransformerManager(), cell) == outcome(TransformerManager(), cell)


CHARACTERS = "x=1 \n%!?/,;()['\\\t#é:.*\r\x0b\x0c\x1c\x1f\x85\xa0\u2028\u3000\ufeff\ud800\0"
PIECES = [*CHARACTERS, '"""', "    ", "...", ">>>", "In [1]: ", "if x:", "ls", "%%"]


def test_any_cell_is_transformed_as_by_ipython() -> None:
    # verifies: EXEC-01, LIFE-05
    quick, known = QuickTransformerManager(), TransformerManager()
    choose = random.Random(7)
    for _ in range(10_000):
        cell = "".join(choose.choices(PIECES, k=choose.randint(0, 12)))
        assert outcome(quick, cell) == outcome(known, cell), repr(cell)


@pytest.mark.parametrize("kind", ["cleanup_transforms", "line_transforms"])
def test_a_transform_of_ones_own_counts(kind: str) -> None:
    # verifies: EXEC-01
    manager = QuickTransformerManager()
    getattr(manager, kind).append(lambda lines: [line.replace("cat", "dog") for line in lines])
    assert manager.transform_cell("cat = 1") == "dog = 1\n"


def test_a_token_transform_of_ones_own_counts() -> None:
    # verifies: EXEC-01
    manager = QuickTransformerManager()
    seen = []

    class Own:
        @classmethod
        def find(cls, tokens: list) -> None:
            seen.append(tokens)

    manager.token_transformers.append(Own)
    manager.transform_cell("x = 1")
    assert seen


def test_the_quick_way_is_taken_with_the_transforms_of_this_ipython_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    # verifies: EXEC-01
    monkeypatch.setattr(TransformerManager, "transform_cell", lambda self, cell: "slow")
    assert QuickTransformerManager().transform_cell("x = 1") == "x = 1\n"
    begin = TransformerManager.__init__

    def newer(manager: TransformerManager) -> None:
        begin(manager)
        manager.token_transformers.append(inputtransformer2.HelpEnd)

    monkeypatch.setattr(TransformerManager, "__init__", newer)
    assert QuickTransformerManager().transform_cell("x = 1") == "slow"
