"""What an editor asks: completion, inspection, and whether a cell is complete."""

from typing import Any

from IPython.core.completer import provisionalcompleter, rectify_completions
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.tokenutil import token_at_cursor


def complete(shell: InteractiveShell, request: dict) -> dict:
    """Jupyter's ``complete_reply``. Positions count characters of the code."""
    code, cursor = request["code"], request["cursor_pos"]
    with provisionalcompleter():
        found = list(rectify_completions(code, shell.Completer.completions(code, cursor)))
    start = found[0].start if found else cursor
    end = found[0].end if found else cursor
    types = [
        {"start": one.start, "end": one.end, "text": one.text, "type": one.type, "signature": one.signature} for one in found
    ]
    return {
        "type": "complete_reply",
        "status": "ok",
        "matches": [one.text for one in found],
        "cursor_start": start,
        "cursor_end": end,
        "metadata": {"_jupyter_types_experimental": types},
    }


def inspect(shell: InteractiveShell, request: dict) -> dict:
    """Jupyter's ``inspect_reply``: documentation of the name at the cursor."""
    name = token_at_cursor(request["code"], request["cursor_pos"])
    data: Any = {}
    found = False
    if name:
        try:
            data = shell.object_inspect_mime(name, detail_level=request["detail_level"])
            found = True
        except KeyError:
            pass
    return {"type": "inspect_reply", "status": "ok", "found": found, "data": data, "metadata": {}}


def is_complete(shell: InteractiveShell, request: dict) -> dict:
    """Jupyter's ``is_complete_reply``: complete, incomplete (with the next line's indent) or invalid."""
    status, indent = shell.input_transformer_manager.check_complete(request["code"])
    reply = {"type": "is_complete_reply", "status": status}
    return {**reply, "indent": " " * (indent or 0)} if status == "incomplete" else reply
