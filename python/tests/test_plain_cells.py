"""Where IPython has nothing to transform, the quick way gives the same."""

import random
from pathlib import Path

import pytest
from IPython.core import inputtransformer2, prefilter
from IPython.core.autocall import ExitAutocall
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.macro import Macro
from IPython.core.prefilter import PrefilterChecker, PrefilterHandler, PrefilterTransformer
from traitlets.config import Config

from ipybox_kernel.plain_cells import QuickPrefilterManager, QuickTransformerManager, is_several_lines

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


@pytest.fixture
def shell(tmp_path: Path) -> InteractiveShell:
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config, ipython_dir=str(tmp_path))
    shell.user_ns |= {"macro": Macro("x = 1"), "quit": ExitAutocall(), "value": 1, "ls": 1}
    return shell


LEFT = [
    *("1+1\n", "x = 1", "(1, 2)", "value", "value.x", "value (1)"),
    *("print('a')", "import os", "'%time'", "not_there", "é", "*a, b = c"),
]
CHANGED = ["macro", "quit", "cd", "cd ..", "pwd", "time 1 + 1", "who int"]


def filtered(shell: InteractiveShell, line: str) -> str:
    assert shell.prefilter_manager is not None
    text: str = shell.prefilter_manager.prefilter_lines(line)
    return text


def leaves(shell: InteractiveShell, line: str) -> bool:
    return QuickPrefilterManager(shell=shell, parent=shell).leaves(line)


@pytest.mark.parametrize("line", LEFT, ids=repr)
def test_a_line_that_ipython_leaves_is_known(shell: InteractiveShell, line: str) -> None:
    # verifies: EXEC-01
    assert leaves(shell, line)
    assert filtered(shell, line) == line.rstrip("\n")


@pytest.mark.parametrize("line", CHANGED, ids=repr)
def test_a_line_that_ipython_changes_is_not_left(shell: InteractiveShell, line: str) -> None:
    # verifies: EXEC-01
    assert not leaves(shell, line)
    assert filtered(shell, line) != line


WORDS = [*"=1+-*/%()[]{},.;:!?'#@\\xü ", *("value", "macro", "quit", "cd", "ls", "time", "pwd", "print")]


@pytest.mark.parametrize("autocall", [0, 1, 2])
def test_any_plain_line_that_is_left_ipython_leaves(shell: InteractiveShell, autocall: int) -> None:
    # verifies: EXEC-01, LIFE-05
    shell.autocall = autocall
    quick, transformers = QuickPrefilterManager(shell=shell, parent=shell), QuickTransformerManager()
    choose = random.Random(7)
    left = 0
    for _ in range(5_000):
        line = transformers.plain("".join(choose.choices(WORDS, k=choose.randint(1, 8))))
        if line is not None and quick.leaves(line):
            left += 1
            assert f"{filtered(shell, line)}\n" == line
    assert (left > 1_000) == (autocall == 0)


def test_a_line_is_not_left_to_a_checker_a_transformer_or_a_handler_of_ones_own(shell: InteractiveShell) -> None:
    # verifies: EXEC-01
    quick = QuickPrefilterManager(shell=shell, parent=shell)
    assert quick.leaves("value")
    checker = PrefilterChecker(shell=shell, prefilter_manager=quick, parent=shell)
    assert not quick.leaves("value")
    quick.unregister_checker(checker)
    assert quick.leaves("value")
    transformer = PrefilterTransformer(shell=shell, prefilter_manager=quick, parent=shell)
    assert not quick.leaves("value")
    quick.unregister_transformer(transformer)
    assert quick.leaves("value")

    class Own(PrefilterHandler):
        pass

    Own(shell=shell, prefilter_manager=quick, parent=shell)
    assert not quick.leaves("value")


def test_the_lines_of_a_newer_ipython_are_not_left(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    # verifies: EXEC-01
    class NewChecker(PrefilterChecker):
        pass

    monkeypatch.setattr(prefilter, "_default_checkers", [*prefilter._default_checkers, NewChecker])
    assert not leaves(shell, "value")


@pytest.mark.parametrize(("cell", "several"), [("x\n", False), ("x\n\n", True), ("x\ny\n", True), ("\n", False)], ids=repr)
def test_lines_are_counted_as_by_ipython(cell: str, several: bool) -> None:
    # verifies: EXEC-01
    assert is_several_lines(cell) == several == (len(cell.splitlines()) > 1)
