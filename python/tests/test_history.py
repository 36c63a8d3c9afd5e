"""What IPython asks of its history, without a database."""

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
