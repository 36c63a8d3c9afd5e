"""What a cell shows, as messages with Jupyter's names and content."""

import binascii
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher

from .channel import Channel

#: Formatters give these as base64 text; they travel as bytes.
_BINARY_TYPES = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"},
)


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
            plain[mime] = value
    return plain, buffers


class KernelDisplayHook(DisplayHook):
    """Sends the value of a cell's last expression as ``execute_result``."""

    channel: Channel

    def start_displayhook(self) -> None:
        self._bundle: tuple[dict, dict] | None = None

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict, md_dict: dict | None = None) -> None:
        self._bundle = (format_dict, md_dict or {})

    def finish_displayhook(self) -> None:
        if not self._bundle or not self._bundle[0]:
            return
        data, buffers = mime_bundle(self._bundle[0])
        self.channel.message(
            {
                "type": "execute_result",
                "execution_count": self.prompt_count,
                "data": data,
                "metadata": self._bundle[1],
            },
            buffers,
        )


class KernelDisplayPublisher(DisplayPublisher):
    """Sends ``display()`` as ``display_data`` and its updates."""

    channel: Channel

    def publish(  # type: ignore[override]
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        plain, buffers = mime_bundle(data)
        self.channel.message(
            {
                "type": "update_display_data" if update else "display_data",
                "data": plain,
                "metadata": metadata or {},
                "transient": transient or {},
            },
            buffers,
        )

    def clear_output(self, wait: bool = False) -> None:
        self.channel.message({"type": "clear_output", "wait": bool(wait)})
