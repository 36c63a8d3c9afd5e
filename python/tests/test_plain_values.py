"""Where the quick way is taken, the long way gives the same."""

from collections.abc import Callable
from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter, HTMLFormatter, PlainTextFormatter

from ipybox_kernel.plain_values import has_only_text, plain_text


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


@pytest.mark.parametrize("value", [*PLAIN, "a\nb\x0b\u2028", "ü" * 200, -0.0, float("nan"), 10**4000, True, False], ids=str)
def test_a_plain_value_has_the_text_of_the_printer(value: Any) -> None:
    # verifies: OUT-01
    printer = DisplayFormatter().formatters["text/plain"]
    assert plain_text(value, printer) == printer(value)


def test_a_number_with_too_many_digits_is_told_of_by_the_printer(capsys: pytest.CaptureFixture[str]) -> None:
    # verifies: OUT-01
    assert plain_text(10**5000, DisplayFormatter().formatters["text/plain"]) is None
    told = capsys.readouterr().err
    assert "set_int_max_str_digits" in told
    assert "During handling" not in told


class Shouting(PlainTextFormatter):
    def __call__(self, value: Any) -> str:
        return f"{value}!"


@pytest.mark.parametrize("formatter", [Shouting(), lambda value: f"{value}!"], ids=["subclass", "function"])
def test_a_formatter_in_the_place_of_the_printer_is_asked(formatter: Any) -> None:
    # verifies: OUT-01
    assert plain_text(1, formatter) == "1!"


@pytest.mark.parametrize("setting", ["float_precision", "type", "singleton"])
def test_the_printers_settings_count(setting: str) -> None:
    # verifies: OUT-01
    printer = DisplayFormatter().formatters["text/plain"]
    value = 1.23456789
    if setting == "float_precision":
        printer.float_precision = "%.2f"
    elif setting == "type":
        printer.for_type(float, lambda value, p, cycle: p.text("1.23"))
    else:
        printer.singleton_printers[id(value)] = lambda value, p, cycle: p.text("1.23")
    assert plain_text(value, printer) == "1.23"


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
