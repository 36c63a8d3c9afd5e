"""The wire format between kernel, agent and client; its twin is ``src/protocol/frame.ts``.

A frame is a header of 20 bytes, little endian, and a payload::

    u32 payload length | u8 kind | u8 flags | u16 zero | u32 execution | u64 sequence

A frame is at most 32 KiB, so that one ``send`` on a unix socket is one packet: frames of several
writers never mix, and no lock is needed. The agent fills in the sequence.
"""

import json
import math
import struct
from typing import Any

HEADER = struct.Struct("<IBBHIQ")
MAX_FRAME = 32 * 1024
MAX_PAYLOAD = MAX_FRAME - HEADER.size
#: The longest message about a call of a host function.
MAX_CALL = 256 * 1024 * 1024

pack_header = HEADER.pack
_LENGTH = struct.Struct("<I")
_encode = json.JSONEncoder(separators=(",", ":"), default=str, allow_nan=False).encode
_decode = json.JSONDecoder().raw_decode

# Kinds
STDOUT = 1
STDERR = 2
MESSAGE = 3
REQUEST = 5
EXITED = 6
READY = 7
STALE = 8
STARTED = 9
CALL = 11
REFUSED = 12
BEGUN = 13

# Flags
RAW = 1  # written to the file descriptor, not by sys.stdout
MORE = 2  # the next MESSAGE frame of this execution continues this one
LATE = 4  # printed after the execution's reply
LAST = 8  # the message that ends the execution, or a part of it; only late output follows
FAILED = 16  # with LAST: the cell has failed
CONTINUED = 32  # continues the MESSAGE frame of this execution before


def frame(kind: int, payload: bytes, execution: int = 0, flags: int = 0) -> bytes:
    return pack_header(len(payload), kind, flags, 0, execution, 0) + payload


def encode_message(message: dict, buffers: list[tuple[list, bytes]]) -> bytes:
    """A message's payload: length of the JSON, the JSON, then each buffer's bytes.

    ``buffers`` holds for each bytes value the path of keys it belongs at.
    """
    if buffers:
        message = {**message, "buffers": [[path, len(data)] for path, data in buffers]}
    try:
        text = _encode(message)
    except ValueError:
        text = _encode(_finite(message))
    encoded = text.encode("ascii")
    head = _LENGTH.pack(len(encoded))
    return b"".join((head, encoded, *[data for _, data in buffers])) if buffers else head + encoded


def decode_message(payload: bytes | bytearray) -> dict:
    """Reads what ``encode_message`` has written, with each buffer's bytes in its place."""
    (length,) = _LENGTH.unpack_from(payload)
    message = decode_json(payload[4 : 4 + length])
    target: Any
    offset = 4 + length
    for path, size in message.pop("buffers", ()):
        target = message
        for key in path[:-1]:
            target = target[int(key) if isinstance(target, list) else key]
        last = int(path[-1]) if isinstance(target, list) else path[-1]
        target[last] = bytes(payload[offset : offset + size])
        offset += size
    return message


def decode_json(text: bytes | bytearray) -> dict:
    """Reads what a request has, or a message before its bytes."""
    message: dict = _decode(text.decode("utf-8", "surrogatepass"))[0]
    return message


def _finite(value: Any) -> Any:
    """JSON knows no NaN and no infinity: they become text, as Jupyter's own messages have them."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
