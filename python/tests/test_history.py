"""What IPython asks of its history, without a database."""

from types import SimpleNamespace
from typing import Any

import pytest

from ipybox_kernel.history import SessionHistory


@pytest.fixture
def history() -> SessionHistory:
    history = SessionHistory.__new__(SessionHistory)  # IPython's own needs a shell
    history.session_number = 0
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
    history.db_log_output = False
    history.store_output(5)
    assert [sorted(kept) for kept in stores] == [[1, 2, 4, 5]] * 3
