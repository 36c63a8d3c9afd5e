"""What processes write to descriptors 1 and 2 reaches the agent in order, whole, and is kept until then."""

import os
import select
import socket
import struct
from collections.abc import Iterator

import pytest
from conftest import Wire

from ipybox_kernel import frames
from ipybox_kernel.relay import PACKET, Relay


class Zygote:
    """Drives a relay as the zygote does."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.relay = Relay(wire.kernel, wire.stdout_read, wire.stderr_read)
        self.poll = select.epoll()
        self.poll.register(wire.kernel.fileno(), select.EPOLLRDHUP | select.EPOLLET)
        for pipe in self.relay.pipes:
            self.poll.register(pipe, select.EPOLLIN | select.EPOLLET)

    def run(self) -> None:
        """Until nothing happens any more."""
        while events := self.poll.poll(0.02):
            for descriptor, event in events:
                if descriptor in self.relay.pipes:
                    self.relay.on_written(descriptor, self.poll)
                elif event & select.EPOLLOUT:
                    self.relay.on_writable(self.poll)


@pytest.fixture
def zygote(wire: Wire) -> Iterator[Zygote]:
    zygote = Zygote(wire)
    yield zygote
    zygote.poll.close()
    zygote.relay.close()


def test_writes_to_both_descriptors_keep_their_order(wire: Wire, zygote: Zygote) -> None:
    # verifies: STREAM-03
    os.write(wire.stderr, b"one")
    os.write(wire.stdout, b"two")
    zygote.run()
    os.write(wire.stderr, b"three")
    zygote.run()
    assert wire.frames() == [
        (frames.STDERR, frames.RAW, 0, b"one"),
        (frames.STDOUT, frames.RAW, 0, b"two"),
        (frames.STDERR, frames.RAW, 0, b"three"),
    ]


def test_a_pipe_has_room_for_one_write_until_that_was_sent(wire: Wire, zygote: Zygote) -> None:
    os.set_blocking(wire.stdout, False)
    os.write(wire.stdout, b"a")
    with pytest.raises(BlockingIOError):
        os.write(wire.stdout, b"b")
    zygote.run()
    os.write(wire.stdout, b"c" * PACKET)
    zygote.run()
    assert [payload for _, _, _, payload in wire.frames()] == [b"a", b"c" * PACKET]


def test_a_packet_stays_in_its_pipe_while_the_socket_is_full(wire: Wire, zygote: Zygote) -> None:
    # verifies: STREAM-02, STREAM-06
    filler = _fill(wire.kernel)
    os.write(wire.stdout, b"kept")
    zygote.run()
    writable = select.poll()
    writable.register(wire.stdout, select.POLLOUT)
    assert writable.poll(0) == []
    assert len(wire.agent.recv(filler, socket.MSG_WAITALL)) == filler
    zygote.run()
    assert writable.poll(0) != []
    assert [payload for _, _, _, payload in wire.frames()] == [b"kept"]


def test_the_end_comes_after_all_that_was_written(wire: Wire, zygote: Zygote) -> None:
    # verifies: STREAM-06
    filler = _fill(wire.kernel)
    os.write(wire.stdout, b"last words")
    os.write(wire.stderr, b"and complaints")
    ended = frames.frame(frames.EXITED, struct.pack("<i", -9))
    zygote.relay.finish(ended, zygote.poll)
    zygote.run()
    assert len(wire.agent.recv(filler, socket.MSG_WAITALL)) == filler
    zygote.run()
    received = wire.frames()
    assert sorted(payload for _, _, _, payload in received[:2]) == [b"and complaints", b"last words"]
    assert received[2:] == [(frames.EXITED, 0, 0, struct.pack("<i", -9))]


def test_what_joins_a_packet_that_waits_is_not_lost(wire: Wire, zygote: Zygote, monkeypatch: pytest.MonkeyPatch) -> None:
    # verifies: STREAM-02, STREAM-03
    # As a program does that opens /dev/stdout by name: its writes are not in packet mode.
    by_name = os.open(f"/proc/self/fd/{wire.stdout}", os.O_WRONLY | os.O_NONBLOCK)
    send = zygote.relay._send
    late = [b"second"]

    def send_while_it_writes(data: bytes) -> bool:
        if late:
            os.write(by_name, late.pop())
        return send(data)

    monkeypatch.setattr(zygote.relay, "_send", send_while_it_writes)
    os.write(by_name, b"first")
    zygote.run()
    os.close(by_name)
    assert [payload for _, _, _, payload in wire.frames()] == [b"first", b"second"]


def test_output_for_an_agent_that_has_let_go_is_dropped(wire: Wire, zygote: Zygote) -> None:
    wire.agent.close()
    os.write(wire.stdout, b"nobody reads this")
    zygote.run()
    os.set_blocking(wire.stdout, False)
    assert os.write(wire.stdout, b"nor this") == 8


def _fill(sock: socket.socket) -> int:
    """Sends until the socket takes no more; gives how much that was."""
    sent = 0
    try:
        while True:
            sent += sock.send(b"-" * 1024, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return sent
