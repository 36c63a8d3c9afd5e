# verifies: MCP-01

from collections.abc import Callable

import pytest

from ipybox_kernel import mcp
from ipybox_kernel.mcp import (
    EmbeddedResource,
    ImageContent,
    McpError,
    McpServerError,
    McpToolError,
    ResourceLink,
    TextContent,
    ToolResult,
)

#: Lets the host give an answer; gives what it was asked.
Answer = Callable[[dict], list]


class Params:
    def model_dump(self, **how: object) -> dict:
        assert how == {"mode": "json", "by_alias": True, "exclude_unset": True}
        return {"a": 1}


class Result:
    @staticmethod
    def model_validate(value: object) -> object:
        if value != {"count": 1}:
            raise ValueError("count is wrong")
        return "validated"


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Lets the host give an answer; gives what it was asked."""

    def give(value: dict) -> list:
        asked: list = []

        def call(*arguments: object) -> dict:
            asked.append(arguments)
            return value

        monkeypatch.setattr(mcp, "call", call)
        return asked

    return give


def test_a_tool_without_a_declared_result_gives_its_text_and_its_parts(answer: Answer) -> None:
    image = {"type": "image", "data": b"png", "mime_type": "image/png"}
    resource = {"type": "resource", "uri": "x:", "mime_type": None, "text": "two"}
    link = {"type": "resource_link", "uri": "y:", "name": "y", "description": None, "mime_type": None}
    asked = answer({"status": "ok", "content": [{"type": "text", "text": "one"}, image, resource, link]})
    result = mcp.call_tool("mcp_tools.x.y", Params())
    assert asked == [("mcp_tools.x.y", {"a": 1})]
    assert isinstance(result, ToolResult)
    assert result == "one\ntwo"
    assert result.content == (
        TextContent("one"),
        ImageContent(b"png", "image/png"),
        EmbeddedResource("x:", None, "two"),
        ResourceLink("y:", "y"),
    )
    assert result.images == [ImageContent(b"png", "image/png")]
    assert result.images[0]._repr_mimebundle_() == {"image/png": b"png", "text/plain": "<image/png, 3 bytes>"}


def test_a_declared_result_is_validated(answer: Answer) -> None:
    answer({"status": "ok", "content": [], "structured": {"count": 1}})
    assert mcp.call_tool("x", Params(), Result) == "validated"
    answer({"status": "ok", "content": [], "structured": {"count": "one"}})
    with pytest.raises(McpServerError, match="another result than it declares: count is wrong"):
        mcp.call_tool("x", Params(), Result)
    answer({"status": "ok", "content": []})
    with pytest.raises(McpServerError, match="no structured result"):
        mcp.call_tool("x", Params(), Result)


def test_failures_are_exceptions(answer: Answer) -> None:
    answer({"status": "tool_failed", "content": [{"type": "text", "text": "full"}]})
    with pytest.raises(McpToolError, match=r"^full$") as raised:
        mcp.call_tool("x", Params())
    assert raised.value.content == (TextContent("full"),)
    answer({"status": "tool_failed", "content": []})
    with pytest.raises(McpError, match="does not say why"):
        mcp.call_tool("x", Params())
    answer({"status": "server_failed", "message": "gone"})
    with pytest.raises(McpServerError, match=r"^gone$"):
        mcp.call_tool("x", Params(), Result)


def test_parameters_must_be_an_instance_of_their_class() -> None:
    with pytest.raises(TypeError, match="an instance of Params, not dict"):
        mcp.call_tool("x", {"a": 1})
