"""Whether a value has a text and nothing else: then a dozen formatters need not be asked.

They would look for methods such as ``_repr_html_``, which Python's own types lack, and for what was
registered for the type. That takes a quarter of the time of a short cell.
"""

from typing import Any

from IPython.core.formatters import DisplayFormatter, PlainTextFormatter
from IPython.lib import pretty

#: Their instances have no attributes of their own. Exactly these types: a subclass may have methods.
_PLAIN_TYPES = frozenset({int, float, complex, bool, str, bytes, list, tuple, dict, set, frozenset, range})


def has_only_text(value: Any, formatter: DisplayFormatter) -> bool:
    kind = type(value)
    formatters = formatter.formatters
    if kind not in _PLAIN_TYPES or "text/plain" not in formatters:
        return False
    for mime, one in formatters.items():
        if mime == "text/plain":
            continue
        tables = one._trait_values
        if not (tables.get("type_printers") or tables.get("deferred_printers") or tables.get("singleton_printers")):
            continue  # as most have it
        if _knows(one, value, kind):
            return False
    return not _knows(formatter.ipython_display_formatter, value, kind) and not _knows(
        formatter.mimebundle_formatter, value, kind
    )


def _knows(formatter: Any, value: Any, kind: type) -> bool:
    # Not by its attributes: each is a trait, and takes as long to read as all of this.
    tables = formatter._trait_values
    if (singletons := tables.get("singleton_printers")) and id(value) in singletons:
        return True
    if (types := tables.get("type_printers")) and not types.keys().isdisjoint(kind.__mro__):
        return True
    names = tables.get("deferred_printers")
    return bool(names) and any(("builtins", base.__name__) in names for base in kind.__mro__)


def plain_text(value: Any, formatter: Any) -> str | None:
    """The text of a value that has only text: where IPython's own printer would ask for its ``repr``, without the printer."""
    if type(formatter) is PlainTextFormatter and _is_repr(value, formatter):
        try:
            return repr(value)
        except ValueError:  # a number with too many digits, which the printer tells of
            pass
    text: str | None = formatter(value)
    return text


def _is_repr(value: Any, formatter: Any) -> bool:
    return formatter.type_printers.get(type(value)) is pretty._repr_pprint and id(value) not in formatter.singleton_printers
