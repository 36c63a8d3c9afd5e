"""What a cell shows, as messages with Jupyter's names and content."""

import binascii
import json
import math
import threading
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher

from .channel import Channel
from .plain_values import has_only_text, plain_text

#: Formatters give these as base64 text; they travel as bytes.
_BINARY_TYPES = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"},
)

#: Gets a message before it is sent; gives it back, or None when it is not to be sent.
Hook = Callable[[dict[str, Any]], dict[str, Any] | None]


def mime_bundle(data: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[list, bytes]]]:
    """A bundle without its bytes, and the bytes with the place they belong at."""
    plain: dict[str, Any] = {}
    buffers: list[tuple[list, bytes]] = []
    for mime, value in data.items():
        if mime in _BINARY_TYPES and isinstance(value, str):
            try:
                value = binascii.a2b_base64(value.encode("ascii"), strict_mode=False)
            except ValueError:
                pass  # not base64: leave the text as it is
        if isinstance(value, (bytes, bytearray, memoryview)):
            buffers.append((["data", mime], bytes(value)))
        else:
            plain[mime] = json_value(value)
    return plain, buffers


def json_value(value: Any) -> Any:
    """The value, or what Jupyter makes of it where JSON has nothing like it."""
    if value is None or isinstance(value, str) or (type(value) is dict and not value):
        return value
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return _as_json(value)
    return value


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {_as_key(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return binascii.b2a_base64(value, newline=False).decode("ascii")
    if isinstance(value, datetime):
        text = value.isoformat()
        return text if value.tzinfo else f"{text}Z"
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "__iter__"):
        return [_as_json(item) for item in value]
    return str(value)


def _as_key(key: Any) -> str:
    return key if isinstance(key, str) else json.dumps(key, default=str)


class Hooks(threading.local):
    """The hooks of each thread, as ipykernel has them."""

    def __init__(self) -> None:
        self.all: list[Hook] = []

    def apply(self, kind: str, content: dict[str, Any]) -> dict[str, Any] | None:
        """The content to send; None for none."""
        message: dict[str, Any] = {"header": {"msg_type": kind}, "msg_type": kind, "content": content}
        for hook in self.all:
            answer = hook(message)
            if answer is None:
                return None
            message = answer
        content = message["content"]
        return content

    def remove(self, hook: Hook) -> bool:
        if hook not in self.all:
            return False
        self.all.remove(hook)
        return True


class KernelDisplayHook(DisplayHook):
    """Sends the value of a cell's last expression as ``execute_result``."""

    channel: Channel
    shell: Any
    #: A trait of IPython's that nobody observes, and each cell sets twice.
    exec_result: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._hooks = Hooks()
        #: Whether a value is being shown now.
        self.showing = False
        self._bundle: tuple[dict, dict] | None = None

    def register_hook(self, hook: Hook) -> None:
        self._hooks.all.append(hook)

    def unregister_hook(self, hook: Hook) -> bool:
        return self._hooks.remove(hook)

    def quiet(self) -> bool:
        cells = self.shell.history_manager.input_hist_parsed
        # Without one, none can be the last token.
        return bool(cells) and ";" in cells[-1] and super().quiet()

    def compute_format_data(self, result: Any) -> Any:
        formatter = self.shell.display_formatter
        if has_only_text(result, formatter):
            text = plain_text(result, formatter.formatters["text/plain"])
            return ({} if text is None else {"text/plain": text}), {}
        return super().compute_format_data(result)

    def start_displayhook(self) -> None:
        self.showing = True
        self._bundle = None

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict, md_dict: dict | None = None) -> None:
        self._bundle = (format_dict, md_dict or {})

    def finish_displayhook(self) -> None:
        self.showing = False
        if not self._bundle or not self._bundle[0]:
            return
        data, metadata = self._bundle
        content = {"execution_count": self.prompt_count, "data": data, "metadata": metadata}
        if (shown := self._hooks.apply("execute_result", content)) is not None:
            # With other settings of IPython more may follow, and it may take its time.
            last = self.shell.ast_node_interactivity in ("last_expr", "last", "last_expr_or_assign")
            send = self.channel.value if last else self.channel.message
            send(*_message("execute_result", shown))


class KernelDisplayPublisher(DisplayPublisher):
    """Sends ``display()`` as ``display_data`` and its updates."""

    channel: Channel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._hooks = Hooks()

    def register_hook(self, hook: Hook) -> None:
        self._hooks.all.append(hook)

    def unregister_hook(self, hook: Hook) -> bool:
        return self._hooks.remove(hook)

    def publish(  # type: ignore[override]
        self, data: Any, metadata: Any = None, *, transient: dict | None = None, update: bool = False, **_: Any
    ) -> None:
        metadata = {} if metadata is None else metadata
        self._validate_data(data, metadata)
        kind = "update_display_data" if update else "display_data"
        content = {"data": data, "metadata": metadata, "transient": transient}
        if (shown := self._hooks.apply(kind, content)) is not None:
            self.channel.message(*_message(kind, shown))

    def clear_output(self, wait: bool = False) -> None:
        content = self._hooks.apply("clear_output", {"wait": bool(wait)})
        if content is not None:
            self.channel.message({"type": "clear_output", **content})


def _message(kind: str, content: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[list, bytes]]]:
    data, buffers = mime_bundle(content["data"])
    message = {"type": kind, **content, "data": data, "metadata": json_value(content["metadata"])}
    if kind != "execute_result":
        message["transient"] = _transient(content.get("transient"))
    return message, buffers


def _transient(given: Any) -> dict[str, Any]:
    """What is no part of the output; among it the name of a display, which is a text whatever it was given as."""
    transient = dict(json_value(given)) if isinstance(given, dict) else {}
    display_id = transient.pop("display_id", None)
    return transient if display_id is None else {**transient, "display_id": str(display_id)}
