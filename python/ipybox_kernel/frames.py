"""The wire format between kernel, agent and client; its twin is ``src/protocol/frame.ts``.

A frame is a header of 20 bytes, little endian, and a payload::

    u32 payload length | u8 kind | u8 flags | u16 zero | u32 execution | u64 sequence

A frame is at most 32 KiB, so that one ``send`` on a unix socket is one packet: frames of several
writers never mix, and no lock is needed. The agent fills in the sequence.
"""

import json
import struct

HEADER = struct.Struct("<IBBHIQ")
MAX_FRAME = 32 * 1024
MAX_PAYLOAD = MAX_FRAME - HEADER.size

# Kinds
STDOUT = 1
STDERR = 2
MESSAGE = 3
REQUEST = 5
EXITED = 6
READY = 7
STALE = 8

# Flags
RAW = 1  # written to the file descriptor, not by sys.stdout
MORE = 2  # the next MESSAGE frame of this execution continues this one
LATE = 4  # printed after the execution's reply
LAST = 8  # nothing but late output follows
FAILED = 16  # with LAST: the cell has failed


def frame(kind: int, payload: bytes, execution: int = 0, flags: int = 0) -> bytes:
    return HEADER.pack(len(payload), kind, flags, 0, execution, 0) + payload


def encode_message(message: dict, buffers: list[tuple[list, bytes]]) -> bytes:
    """A message's payload: length of the JSON, the JSON, then each buffer's bytes.

    ``buffers`` holds for each bytes value the path of keys it belongs at.
    """
    if buffers:
        message = {**message, "buffers": [[path, len(data)] for path, data in buffers]}
    text = json.dumps(message, separators=(",", ":"), default=str).encode("ascii")
    return b"".join((struct.pack("<I", len(text)), text, *(data for _, data in buffers)))
