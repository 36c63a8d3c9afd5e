"""Where the quick way is taken, the long way gives the same."""

from collections.abc import Callable
from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter, HTMLFormatter

from ipybox_kernel.plain_values import has_only_text


class Sub(int):
    def _repr_html_(self) -> str:
        return "<b>sub</b>"


PLAIN: list[Any] = [1, -1.5, 2j, True, "text", b"bytes", [1, "a"], (1, 2), {"a": [Sub(1)]}, {1}, frozenset({1}), range(3)]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_a_plain_value_has_text_only(value: Any) -> None:
    # verifies: OUT-01
    formatter = DisplayFormatter()
    assert has_only_text(value, formatter)
    assert formatter.format(value) == ({"text/plain": formatter.formatters["text/plain"](value)}, {})


@pytest.mark.parametrize("value", [Sub(1), object(), Ellipsis, len, int])
def test_whatever_may_have_more_is_asked(value: Any) -> None:
    assert not has_only_text(value, DisplayFormatter())


REGISTER: dict[str, Callable[[DisplayFormatter], Any]] = {
    "type": lambda f: f.formatters["text/html"].for_type(int, str),
    "base": lambda f: f.formatters["text/latex"].for_type(object, str),
    "name": lambda f: f.formatters["image/svg+xml"].for_type_by_name("builtins", "int", str),
    "singleton": lambda f: f.formatters["text/html"].singleton_printers.update({id(1): str}),
    "display": lambda f: f.ipython_display_formatter.for_type(int, print),
    "bundle": lambda f: f.mimebundle_formatter.for_type(int, lambda value, **_: {"text/html": str(value)}),
}


@pytest.mark.parametrize("name", REGISTER)
def test_what_is_registered_counts(name: str) -> None:
    # verifies: OUT-01
    formatter = DisplayFormatter()
    REGISTER[name](formatter)
    assert not has_only_text(1, formatter)


def test_a_new_formatter_counts() -> None:
    formatter = DisplayFormatter()
    extra = HTMLFormatter(format_type="application/x-extra")
    extra.for_type(int, str)
    formatter.register_formatter(extra)
    assert not has_only_text(1, formatter)
    assert has_only_text("text", formatter)
