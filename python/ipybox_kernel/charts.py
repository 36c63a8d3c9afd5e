"""Altair's charts with their JSON spec: Altair itself gives only HTML that fetches scripts."""

from typing import Any

from IPython.core.formatters import DisplayFormatter

_SPEC_TYPES = {
    "altair.vegalite.v5.api": "application/vnd.vegalite.v5+json",
    "altair.vegalite.v6.api": "application/vnd.vegalite.v6+json",
}


def show_charts(display: DisplayFormatter) -> None:
    """From now on a chart that is shown has its Vega-Lite spec beside what Altair gives."""
    for module, mime in _SPEC_TYPES.items():
        display.mimebundle_formatter.for_type_by_name(module, "TopLevelMixin", _with_spec(mime))


def _with_spec(mime: str) -> Any:
    def bundle(chart: Any, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        own = chart._repr_mimebundle_(include=include, exclude=exclude)
        data, metadata = own if isinstance(own, tuple) else (own or {}, {})
        return {mime: chart.to_dict(), **data}, metadata

    return bundle
