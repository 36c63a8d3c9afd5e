"""Tools of MCP servers: what the generated packages ``mcp_tools.NAME`` stand on.

A call goes to the host, which holds the connections. ``src/mcp/content.ts`` is the other side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .host import call, call_async


class McpError(Exception):
    """A tool could not be called, or has failed."""


class McpToolError(McpError):
    """The tool says that it has failed. ``content`` has all that it says."""

    def __init__(self, message: str, content: "Sequence[Content]" = ()) -> None:
        super().__init__(message)
        self.content = content


class McpServerError(McpError):
    """The server does not answer, has ended, or answers what is no answer. It is started again at the next call."""


@dataclass(frozen=True)
class TextContent:
    text: str


@dataclass(frozen=True)
class ImageContent:
    """An image. It is shown when it is a cell's value, or by ``display``."""

    data: bytes
    mime_type: str

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {self.mime_type: self.data, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"<{self.mime_type}, {len(self.data)} bytes>"


@dataclass(frozen=True)
class AudioContent:
    data: bytes
    mime_type: str

    def __repr__(self) -> str:
        return f"<{self.mime_type}, {len(self.data)} bytes>"


@dataclass(frozen=True)
class ResourceLink:
    """Names a resource of the server."""

    uri: str
    name: str
    description: str | None = None
    mime_type: str | None = None


@dataclass(frozen=True)
class EmbeddedResource:
    """A resource of the server, as text or as bytes."""

    uri: str
    mime_type: str | None = None
    text: str | None = None
    data: bytes | None = None


Content = TextContent | ImageContent | AudioContent | ResourceLink | EmbeddedResource

_KINDS: dict[str, type] = {
    "text": TextContent,
    "image": ImageContent,
    "audio": AudioContent,
    "resource_link": ResourceLink,
    "resource": EmbeddedResource,
}


class ToolResult(str):
    """What a tool has answered: its text. ``content`` has all parts of the answer, ``images`` the images among them."""

    content: tuple[Content, ...]

    def __new__(cls, content: Sequence[Content]) -> "ToolResult":
        result = super().__new__(cls, _text(content))
        result.content = tuple(content)
        return result

    @property
    def images(self) -> list[ImageContent]:
        return [item for item in self.content if isinstance(item, ImageContent)]


def call_tool(name: str, params: Any, result: Any = None) -> Any:
    """Calls a tool with an instance of its ``Params``; gives an instance of ``result``, else a ``ToolResult``."""
    return _read(call(name, _arguments(params)), result)


async def call_tool_async(name: str, params: Any, result: Any = None) -> Any:
    return _read(await call_async(name, _arguments(params)), result)


def _arguments(params: Any) -> Any:
    if not hasattr(params, "model_dump"):
        raise TypeError(f"run() takes an instance of Params, not {type(params).__name__}")
    # What was not set is left out: the server has its own defaults.
    return params.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _read(answer: dict, result: Any) -> Any:
    content = [_KINDS[item.pop("type")](**item) for item in answer.get("content", [])]
    match answer["status"]:
        case "server_failed":
            raise McpServerError(answer["message"])
        case "tool_failed":
            raise McpToolError(_text(content) or "the tool has failed and does not say why", tuple(content))
    if result is None:
        return ToolResult(content)
    if "structured" not in answer:
        raise McpServerError("the tool has given no structured result, although it declares one")
    try:
        return result.model_validate(answer["structured"])
    except ValueError as error:
        raise McpServerError(f"the tool has given another result than it declares: {error}") from error


def _text(content: Sequence[Content]) -> str:
    parts = [item.text for item in content if isinstance(item, (TextContent, EmbeddedResource)) and item.text is not None]
    return "\n".join(parts)
