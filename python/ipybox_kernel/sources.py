"""The source of modules, for those who are to use them."""

import importlib.util
from typing import Any


def get_sources(request: dict) -> dict:
    """The content of a ``sources_reply``. Modules are found as ``import`` finds them, but only their parents are run."""
    return {"type": "sources_reply", "status": "ok", "sources": {name: _source(name) for name in request["names"]}}


def _source(name: str) -> str:
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    loader: Any = spec.loader
    read = getattr(loader, "get_source", None)
    try:
        return (read(name) if read is not None else None) or ""
    except (ImportError, OSError):
        return ""  # compiled
