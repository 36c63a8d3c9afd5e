"""The wire format, against the same vectors as ``src/protocol/frame.ts``."""

import json
from pathlib import Path
from typing import Any

import pytest

from ipybox_kernel import frames

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "test/vectors/frames.json").read_text())


def by_name(kind: str) -> Any:
    return pytest.mark.parametrize("vector", VECTORS[kind], ids=lambda vector: vector["name"])


def test_sizes_kinds_and_flags_are_those_of_the_agent() -> None:
    assert VECTORS["headerBytes"] == frames.HEADER.size
    assert VECTORS["maxKernelFrameBytes"] == frames.MAX_FRAME
    assert frames.MAX_PAYLOAD + frames.HEADER.size == frames.MAX_FRAME
    for name, value in VECTORS["kinds"].items():
        if name not in ("control", "lifecycle"):  # between agent and client alone
            assert getattr(frames, name.upper()) == value
    for name, value in VECTORS["flags"].items():
        assert getattr(frames, name.upper()) == value


@by_name("frames")
def test_a_frame(vector: dict) -> None:
    encoded = frames.frame(vector["kind"], bytes.fromhex(vector["payload"]), vector["execution"], vector["flags"])
    assert encoded.hex() == vector["bytes"]


@by_name("messages")
def test_a_message(vector: dict) -> None:
    buffers = [(buffer["path"], bytes.fromhex(buffer["bytes"])) for buffer in vector["buffers"]]
    assert frames.encode_message(vector["message"], buffers).hex() == vector["payload"]


@by_name("messages")
def test_a_message_is_read_again(vector: dict) -> None:
    message = frames.decode_message(bytes.fromhex(vector["payload"]))
    for buffer in vector["buffers"]:
        *path, last = buffer["path"]
        target = message
        for key in path:
            target = target[key]
        assert target.pop(last).hex() == buffer["bytes"]
    assert message == vector["message"]


def test_floats_that_json_does_not_know_travel_as_text() -> None:
    message = {"type": "x", "values": [float("nan"), {"y": float("-inf")}, (1.5,)]}
    assert frames.decode_message(frames.encode_message(message, [])) == {"type": "x", "values": ["nan", {"y": "-inf"}, [1.5]]}


def test_bytes_may_lie_in_lists() -> None:
    encoded = frames.encode_message(
        {"type": "x", "value": [None, [None]]}, [(["value", "0"], b"a"), (["value", "1", "0"], b"bc")]
    )
    assert frames.decode_message(bytearray(encoded)) == {"type": "x", "value": [b"a", [b"bc"]]}
