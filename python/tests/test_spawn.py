"""What a kernel's process takes over."""

import os

import pytest

from ipybox_kernel.spawn import _take_environment


@pytest.mark.parametrize("wanted", [{}, {"A": "1"}, {"A": "2", "B": ""}, {"C": "ä=\n", "A": ""}])
def test_the_environment_is_the_one_that_was_given(wanted: dict[str, str]) -> None:
    # verifies: CONT-06
    environment = os.environ.copy()
    try:
        os.environ.clear()
        os.environ.update({"A": "1", "B": "2"})
        _take_environment(wanted)
        assert dict(os.environ) == wanted
    finally:
        os.environ.clear()
        os.environ.update(environment)
