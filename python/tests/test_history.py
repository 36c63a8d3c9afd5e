"""What IPython asks of its history, without a database."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from ipybox_kernel.history import SessionHistory


@pytest.fixture
def history() -> SessionHistory:
    history = SessionHistory.__new__(SessionHistory)  # IPython's own needs a shell
    history.session_number = 0
    history.output_hist_reprs, history.exceptions = {}, {}
    history.input_hist_raw = history.input_hist_parsed = ["", "first = 1", "print('second')", "first = 1", "third"]
    return history


def test_the_last_cells_without_the_one_that_asks(history: SessionHistory) -> None:
    assert [line for _, line, _ in history.get_tail(2)] == [2, 3]
    assert [line for _, line, _ in history.get_tail(2, include_latest=True)] == [3, 4]
    assert [line for _, line, _ in history.get_tail(None, include_latest=True)] == [1, 2, 3, 4]


def test_cells_that_match_a_pattern(history: SessionHistory) -> None:
    assert [line for _, line, _ in history.search("first*")] == [1, 3]
    assert [line for _, line, _ in history.search("first*", unique=True)] == [3]
    assert [line for _, line, _ in history.search("*", n=2)] == [3, 4]
    assert list(history.search("nothing*")) == []


def test_what_out_has_forgotten_is_forgotten(history: SessionHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    # verifies: OUT-08
    monkeypatch.setattr(SessionHistory, "shell", SimpleNamespace(cache_size=2))
    stores: list[Any] = [history.outputs, history.output_hist_reprs, history.exceptions]
    for kept in stores:
        kept.update(dict.fromkeys(range(1, 6)))
    history.store_output(5)
    assert [sorted(kept) for kept in stores] == [[1, 2, 4, 5]] * 3


CELLS = ["x = 1", "%time 1\n", "exit", "quit()", "exit ( 1 )", "exits", "a\n\n", "x = 2;"]


def test_inputs_are_kept_as_by_ipython(tmp_path: Path) -> None:
    # verifies: EXEC-01, OUT-08
    config = Config()
    config.HistoryManager.enabled = False
    shells = [InteractiveShell(config=config, ipython_dir=str(tmp_path)) for _ in range(2)]
    kept = []
    for shell, kind in zip(shells, (SessionHistory, HistoryManager), strict=True):
        history = kind(shell=shell, parent=shell)
        for number, cell in enumerate(CELLS, 1):
            history.store_inputs(number, f"{cell} # transformed\n", cell)
            history.store_inputs(number, cell)
        names = {name: value for name, value in shell.user_ns.items() if name.startswith("_i")}
        kept.append((history.input_hist_parsed, history.input_hist_raw, names, shell.user_ns_hidden.keys() & names.keys()))
    assert kept[0] == kept[1]
    assert len(kept[0][0]) == 11
