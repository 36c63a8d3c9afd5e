"""What leaves a kernel: whole frames, attributed, after what file descriptors hold."""

import contextlib
import os
import select
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from conftest import Wire

from ipybox_kernel import frames
from ipybox_kernel.channel import Channel, current_execution
from ipybox_kernel.relay import Relay


@pytest.fixture
def channel(wire: Wire) -> Iterator[Channel]:
    channel = Channel()
    channel.bind(wire.kernel, wire.slots)
    channel.running = 7
    token = current_execution.set(7)
    yield channel
    current_execution.reset(token)


def test_output_belongs_to_the_cell_that_runs_and_is_late_after_it(channel: Channel, wire: Wire) -> None:
    # verifies: OUT-06
    channel.stream(frames.STDOUT, b"in time")
    channel.running = 8
    channel.stream(frames.STDOUT, b"late")
    current_execution.set(0)
    channel.stream(frames.STDERR, b"of whatever runs", frames.RAW)
    assert wire.frames() == [
        (frames.STDOUT, 0, 7, b"in time"),
        (frames.STDOUT, frames.LATE, 7, b"late"),
        (frames.STDERR, frames.RAW, 8, b"of whatever runs"),
    ]


def test_lines_need_not_wait_for_the_agent(channel: Channel, wire: Wire) -> None:
    # verifies: EXEC-04
    usual, reader = socket.socketpair()
    with usual, reader:
        assert lines_on_their_way(wire.kernel) > 1.5 * lines_on_their_way(usual)


def lines_on_their_way(sock: socket.socket) -> int:
    """How many lines a socket takes that nobody reads."""
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(bytes(1000), socket.MSG_DONTWAIT)
            count += 1
    return count


def test_long_text_is_cut_between_characters(channel: Channel, wire: Wire) -> None:
    # verifies: EXEC-04
    text = "x" + "€" * frames.MAX_PAYLOAD
    sender = threading.Thread(target=channel.stream, args=(frames.STDOUT, text.encode()))
    sender.start()
    received: list[bytes] = []
    while sum(map(len, received)) < len(text.encode()):
        for kind, flags, _, payload in wire.frames():
            assert (kind, flags & ~frames.LATE) == (frames.STDOUT, 0)
            assert len(payload) <= frames.MAX_PAYLOAD
            payload.decode()
            received.append(payload)
    sender.join()
    assert b"".join(received).decode() == text


def test_raw_bytes_are_cut_anywhere(channel: Channel, wire: Wire) -> None:
    channel.stream(frames.STDOUT, b"\x80" * (frames.MAX_PAYLOAD + 1), frames.RAW)
    assert [len(payload) for _, _, _, payload in wire.frames()] == [frames.MAX_PAYLOAD, 1]


def test_a_long_message_goes_in_parts_that_all_have_the_flags(channel: Channel, wire: Wire) -> None:
    content = {"type": "execute_reply", "status": "error", "evalue": "y" * (2 * frames.MAX_PAYLOAD)}
    channel.reply(9, content)
    parts = wire.frames()
    ends = frames.LAST | frames.FAILED
    assert [(kind, flags, execution) for kind, flags, execution, _ in parts] == [
        (frames.MESSAGE, ends | frames.MORE, 9),
        (frames.MESSAGE, ends | frames.MORE | frames.CONTINUED, 9),
        (frames.MESSAGE, ends | frames.CONTINUED, 9),
    ]
    assert frames.decode_message(b"".join(payload for _, _, _, payload in parts)) == content


def test_nothing_comes_between_the_parts_of_a_message(channel: Channel, wire: Wire) -> None:
    # verifies: OUT-01
    rounds = 50

    def show(length: int) -> None:
        current_execution.set(7)
        for index in range(rounds):
            content = {"type": "x", "text": "y" * length}
            if index % 2:
                channel.message(content)
            else:
                channel.value(content, [])

    lengths = [10, 10, 4 * frames.MAX_PAYLOAD, 6 * frames.MAX_PAYLOAD]
    threads = [threading.Thread(target=show, args=(length,)) for length in lengths]
    for thread in threads:
        thread.start()
    messages: list[dict] = []
    parts: list[bytes] = []
    running = True
    while running:
        running = any(thread.is_alive() for thread in threads)
        if not running:
            channel.stream(frames.STDOUT, b"")  # a value that is held back leaves with it
        for kind, flags, _, payload in wire.frames():
            if kind != frames.MESSAGE:
                continue
            assert bool(flags & frames.CONTINUED) == bool(parts)
            parts.append(payload)
            if not flags & frames.MORE:
                messages.append(frames.decode_message(b"".join(parts)))
                parts.clear()
    assert sorted(len(message["text"]) for message in messages) == sorted(lengths * rounds)


def test_a_frame_waits_for_what_was_written_to_a_descriptor_before(channel: Channel, wire: Wire) -> None:
    # verifies: STREAM-03
    os.write(wire.stdout, b"first")
    sender = threading.Thread(target=channel.stream, args=(frames.STDOUT, b"second"))
    sender.start()
    assert wire.frames() == []
    relay = Relay(wire.kernel, wire.stdout_read, wire.stderr_read)
    with select.epoll() as poll:
        relay.on_written(wire.stdout_read, poll)
    sender.join(timeout=5)
    assert [(flags & frames.RAW, payload) for _, flags, _, payload in wire.frames()] == [(frames.RAW, b"first"), (0, b"second")]


def test_a_process_that_a_cell_has_forked_sends_no_message(
    channel: Channel, wire: Wire, capfd: pytest.CaptureFixture[str]
) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            channel.message({"type": "display_data", "data": {"text/plain": "shown"}})
            channel.message({"type": "clear_output", "wait": True})
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0) == (pid, 0)
    assert wire.frames() == []
    assert capfd.readouterr().out == "shown\n"


def test_an_interrupt_waits_until_what_must_not_be_left_half_done_is_done(channel: Channel) -> None:
    # verifies: TIME-02
    done = False
    assert channel.interrupt()
    with pytest.raises(KeyboardInterrupt):  # noqa: SIM117, PT012
        with channel.uninterrupted():
            assert not channel.interrupt()
            done = True
    assert done
    with channel.uninterrupted():
        pass  # it is raised once


def test_a_message_has_its_bytes_behind_it(channel: Channel, wire: Wire) -> None:
    channel.message({"type": "display_data", "data": {}}, [(["data", "image/png"], b"PNG")])
    ((_, _, _, payload),) = wire.frames()
    (length,) = struct.unpack_from("<I", payload)
    assert payload[4 + length :] == b"PNG"


def test_threads_that_print_at_the_same_time_lose_nothing(channel: Channel, wire: Wire) -> None:
    # verifies: EXEC-04
    threads, lines = 4, 2_000

    def print_lines(thread: int) -> None:
        for number in range(lines):
            channel.stream(frames.STDOUT, b"%d %d" % (thread, number))

    writers = [threading.Thread(target=print_lines, args=[thread]) for thread in range(threads)]
    for writer in writers:
        writer.start()
    arrived: list[list[int]] = [[] for _ in range(threads)]
    while sum(map(len, arrived)) < threads * lines:
        assert select.select([wire.agent], [], [], 5)[0]
        for _, _, _, payload in wire.frames():
            thread, number = map(int, payload.split())
            arrived[thread].append(number)
    for writer in writers:
        writer.join()
    assert arrived == [list(range(lines))] * threads
