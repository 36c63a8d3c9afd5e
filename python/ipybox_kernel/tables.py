"""DataFrames among a cell's displays as data: rows or Arrow, when the program asks for them."""

from typing import Any

from IPython.core.formatters import BaseFormatter, DisplayFormatter, FormatterABC
from traitlets import Unicode

from . import variables

ROWS_TYPE = "application/vnd.dataresource+json"
ARROW_TYPE = "application/vnd.apache.arrow.stream"

_TABLES = (
    ("pandas.core.frame", "DataFrame"),
    ("pandas", "DataFrame"),
    ("polars.dataframe.frame", "DataFrame"),
    ("pyarrow.lib", "Table"),
)


class _RowsFormatter(BaseFormatter):
    format_type = Unicode(ROWS_TYPE)
    print_method = Unicode("_repr_rows_")
    _return_type = dict


class _ArrowFormatter(BaseFormatter):
    format_type = Unicode(ARROW_TYPE)
    print_method = Unicode("_repr_arrow_")
    _return_type = bytes


FormatterABC.register(_RowsFormatter)
FormatterABC.register(_ArrowFormatter)


def show_tables(display: DisplayFormatter, form: str | None) -> None:
    """From now on each table that is shown has its data beside text and HTML: ``rows``, ``arrow`` or none."""
    formatters = display.formatters
    formatters.pop(ROWS_TYPE, None)
    formatters.pop(ARROW_TYPE, None)
    if form is None:
        return
    formatter = _RowsFormatter(parent=display) if form == "rows" else _ArrowFormatter(parent=display)
    for module, name in _TABLES:
        formatter.for_type_by_name(module, name, _rows if form == "rows" else variables.to_arrow)
    formatters[formatter.format_type] = formatter


def _rows(table: Any) -> dict:
    """The rows as a Tabular Data Resource has them."""
    rows = variables.to_rows(table)
    names = [str(name) for name in getattr(table, "column_names", None) or table.columns]
    return {
        "schema": {"fields": [{"name": name} for name in names]},
        "data": [{key: _exact(value) for key, value in row.items()} for row in rows],
    }


def _exact(value: Any) -> Any:
    """JavaScript has no integers beyond 53 bits: as text they stay what they are."""
    return str(value) if isinstance(value, int) and abs(value) > variables.SAFE_INTEGER else value
