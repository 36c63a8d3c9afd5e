"""Frames between a file worker and the SDK; its twin is ``src/protocol/file-frames.ts``.

A frame is a u32 with the length of its payload, little endian, a u8 with its kind, and the payload::

    operation:  REQUEST, what is uploaded and DONE (if anything is), what is downloaded, REPLY or ERROR
    content:    DATA* END
    tree:       ENTRY*, with the content of a file behind its entry

Paths and names are JSON strings with one character a byte, so that any name can be told.
"""

import errno
import io
import json
import os
import struct
import time
from typing import Any

HEADER = struct.Struct("<IB")
CHUNK = 256 * 1024
#: The longest payload: of DATA, and of everything else.
MAX_PAYLOAD = 1024 * 1024
_BUFFER = 128 * 1024
_BEAT_S = 2.0

REQUEST = 1  # SDK → worker: JSON
DATA = 2  # bytes of a file
END = 3  # nothing more of this content
REPLY = 4  # worker → SDK: JSON; the operation is done
ERROR = 5  # worker → SDK: JSON with code, message and path; the operation has failed
INFO = 6  # worker → SDK: JSON about one file
ENTRY = 7  # JSON about a part of a tree
ENTRIES = 8  # worker → SDK: JSON, a part of a list
EVENTS = 9  # worker → SDK: JSON, what has happened to watched files
BEAT = 10  # worker → SDK: a sign of life
DONE = 11  # SDK → worker: the upload is complete


class Disconnected(Exception):
    """Nobody waits for the answer any more."""


def to_wire(path: bytes) -> str:
    return path.decode("latin-1")


def from_wire(text: str) -> bytes:
    return text.encode("latin-1")


class FileChannel:
    """One end of a stream socket, by its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._reader = io.BufferedReader(io.FileIO(descriptor, "rb", closefd=False), _BUFFER)
        self._writer = open(descriptor, "wb", buffering=_BUFFER, closefd=False)
        self._block = memoryview(bytearray(CHUNK))
        self._sent_at = time.monotonic()
        #: Whether frames of the operation may still come: they must be read before the next request.
        self.uploading = False

    # --- from the SDK ---------------------------------------------------------------------------

    def header(self) -> tuple[int, int]:
        """Kind and length of the next frame, whose payload is to be read next."""
        data = self._reader.read(HEADER.size)
        if len(data) < HEADER.size:
            raise Disconnected
        length, kind = HEADER.unpack(data)
        if length > MAX_PAYLOAD:
            raise Disconnected
        return kind, length

    def payload(self, length: int) -> bytes:
        data = self._reader.read(length)
        if len(data) < length:
            raise Disconnected
        return data

    def request(self) -> dict[str, Any] | None:
        """The next request; None when the SDK has let go."""
        try:
            kind, length = self.header()
            return json.loads(self.payload(length)) if kind == REQUEST else None
        except Disconnected:
            return None

    def entry(self) -> dict[str, Any] | None:
        """The next part of a tree; None at its end."""
        kind, length = self.header()
        data = self.payload(length)
        if kind == DONE:
            self.uploading = False
            return None
        if kind != ENTRY:
            raise Disconnected
        return json.loads(data)

    def store(self, descriptor: int) -> None:
        """Writes the content that comes into a file."""
        while True:
            kind, length = self.header()
            if kind == END:
                return
            if kind != DATA:
                raise Disconnected
            while length > 0:
                count = self._reader.readinto1(self._block[: min(length, CHUNK)])
                if count == 0:
                    raise Disconnected
                length -= count
                try:
                    write_all(descriptor, self._block[:count])
                except OSError:
                    self._skip(length)
                    raise

    def _skip(self, length: int) -> None:
        """Drops the rest of a frame: what is in a file must never be read as a frame."""
        while length > 0:
            count = self._reader.readinto1(self._block[: min(length, CHUNK)])
            if count == 0:
                raise Disconnected
            length -= count

    def skip_upload(self) -> None:
        """Reads what is left of the upload of an operation that has failed."""
        while self.uploading:
            kind, length = self.header()
            self.payload(length)
            self.uploading = kind != DONE

    def end_upload(self) -> None:
        kind, _ = self.header()
        if kind != DONE:
            raise Disconnected
        self.uploading = False

    # --- to the SDK -----------------------------------------------------------------------------

    def send(self, kind: int, payload: bytes | memoryview = b"") -> None:
        self._writer.write(HEADER.pack(len(payload), kind))
        self._writer.write(payload)

    def send_json(self, kind: int, value: Any) -> None:
        self.send(kind, json.dumps(value, separators=(",", ":")).encode("ascii"))

    def send_list(self, kind: int, items: list[dict[str, Any]]) -> None:
        """Sends a list in as many frames as it takes."""
        part: list[str] = []
        length = 0
        for item in items:
            text = json.dumps(item, separators=(",", ":"))
            if part and length + len(text) > CHUNK:
                self.send(kind, f"[{','.join(part)}]".encode("ascii"))
                part, length = [], 0
            part.append(text)
            length += len(text) + 1
        if part:
            self.send(kind, f"[{','.join(part)}]".encode("ascii"))

    def send_content(self, descriptor: int) -> None:
        """Sends what a file holds, as it is while it is read."""
        while count := os.readv(descriptor, [self._block]):
            self.send(DATA, self._block[:count])
        self.send(END)

    def fileno(self) -> int:
        """Readable when the SDK has let go, or wants no more of an operation that goes on."""
        return self._reader.fileno()

    def flush(self) -> None:
        self._writer.flush()
        self._sent_at = time.monotonic()

    def beat(self) -> None:
        """To be called while something takes long: the SDK must see that it goes on."""
        if time.monotonic() - self._sent_at > _BEAT_S:
            self.send(BEAT)
            self.flush()

    def fail(self, error: Exception, path: bytes) -> None:
        if isinstance(error, OSError):
            code = errno.errorcode.get(error.errno or 0, "EIO")
            message = error.strerror or str(error)
            name = error.filename
            path = name if isinstance(name, bytes) else path
        else:
            code = "EINVAL" if isinstance(error, ValueError) else "EIO"
            message = f"{type(error).__name__}: {error}"
        self.send_json(ERROR, {"code": code, "message": message[:1000], "path": to_wire(path[:8192])})
        self.flush()


def write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
