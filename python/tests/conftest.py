import socket
from collections.abc import Iterator

import pytest

from ipybox_kernel import frames
from ipybox_kernel.relay import output_pipe


class Wire:
    """A kernel's socket and output slots, and the agent's end of the socket."""

    def __init__(self) -> None:
        self.kernel, self.agent = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.stdout_read, self.stdout = output_pipe()
        self.stderr_read, self.stderr = output_pipe()
        self.slots = [self.stdout, self.stderr]
        self._rest = b""

    def frames(self) -> list[tuple[int, int, int, bytes]]:
        """What has arrived, as kind, flags, execution and payload."""
        self.agent.setblocking(False)
        try:
            while part := self.agent.recv(1 << 20):
                self._rest += part
        except BlockingIOError:
            pass
        found = []
        while len(self._rest) >= frames.HEADER.size:
            length, kind, flags, _, execution, _ = frames.HEADER.unpack_from(self._rest)
            end = frames.HEADER.size + length
            if len(self._rest) < end:
                break
            found.append((kind, flags, execution, self._rest[frames.HEADER.size : end]))
            self._rest = self._rest[end:]
        return found

    def close(self) -> None:
        self.kernel.close()
        self.agent.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.close()
