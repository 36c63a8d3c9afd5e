"""What comes into a kernel: requests for the main thread, replies for whoever waits, and one reader at a time."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator

import pytest
from conftest import Wire

from ipybox_kernel import frames
from ipybox_kernel.channel import Channel, current_execution
from ipybox_kernel.inbox import Inbox, TaskWaiter, ThreadWaiter

CALL = "host_call_reply"
DEADLINE_S = 5


@pytest.fixture
def inbox(wire: Wire) -> Iterator[Inbox]:
    channel = Channel()
    channel.bind(wire.kernel, wire.slots)
    channel.running = 7
    token = current_execution.set(7)
    yield Inbox(channel)
    current_execution.reset(token)


def send(wire: Wire, message: dict, execution: int = 7) -> None:
    wire.agent.setblocking(True)
    wire.agent.sendall(frames.frame(frames.REQUEST, json.dumps(message).encode(), execution))


def reply(wire: Wire, number: int) -> None:
    send(wire, {"type": CALL, "number": number, "value": number})


class Thread(threading.Thread):
    """Waits for a reply, and keeps what it gets."""

    def __init__(self, inbox: Inbox, number: int, kind: str = CALL) -> None:
        super().__init__()
        self.inbox, self.number, self.kind = inbox, number, kind
        self.got: dict | BaseException | None = None
        self.start()

    def run(self) -> None:
        waiter = ThreadWaiter(self.kind, self.number, 7)
        self.inbox.add(waiter)
        try:
            self.got = self.inbox.wait(waiter)
        except BaseException as error:
            self.got = error

    def outcome(self) -> dict | BaseException | None:
        self.join(DEADLINE_S)
        assert not self.is_alive()
        return self.got


def eventually(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_replies_find_their_threads_in_any_order(inbox: Inbox, wire: Wire) -> None:
    # verifies: HOST-03
    threads = [Thread(inbox, number) for number in range(20)]
    eventually(lambda: len(inbox._waiters) == 20)
    for number in [*range(19, -1, -2), *range(0, 20, 2)]:
        reply(wire, number)
    for number, thread in enumerate(threads):
        got = thread.outcome()
        assert isinstance(got, dict)
        assert got["value"] == number


def test_a_reply_that_nobody_waits_for_is_dropped(inbox: Inbox, wire: Wire) -> None:
    # verifies: HOST-03
    thread = Thread(inbox, 1)
    reply(wire, 5)
    send(wire, {"type": "input_reply", "number": 1, "value": "of another type"})
    reply(wire, 1)
    got = thread.outcome()
    assert isinstance(got, dict)
    assert got["type"] == CALL


def test_a_request_that_a_waiting_thread_reads_is_the_main_thread_s(inbox: Inbox, wire: Wire) -> None:
    # verifies: HOST-03
    thread = Thread(inbox, 1)
    eventually(lambda: inbox._leading.taken)
    send(wire, {"type": "execute_request"}, 8)
    send(wire, {"type": "fork_request"}, 9)
    assert inbox.next_request() == (8, {"type": "execute_request"})
    assert inbox.next_request() == (9, {"type": "fork_request"})
    reply(wire, 1)
    assert isinstance(thread.outcome(), dict)


def test_the_main_thread_reads_on_when_the_thread_that_read_has_its_reply(inbox: Inbox, wire: Wire) -> None:
    # verifies: HOST-03
    thread = Thread(inbox, 1)
    eventually(lambda: inbox._leading.taken)

    def act() -> None:
        eventually(lambda: inbox._main_waits)
        reply(wire, 1)
        thread.join(DEADLINE_S)
        send(wire, {"type": "execute_request"}, 8)

    actor = threading.Thread(target=act)
    actor.start()
    assert inbox.next_request() == (8, {"type": "execute_request"})
    actor.join()
    assert isinstance(thread.outcome(), dict)


def test_a_thread_reads_on_when_the_main_thread_goes_to_work(inbox: Inbox, wire: Wire) -> None:
    # verifies: HOST-03
    threads: list[Thread] = []

    def act() -> None:
        eventually(lambda: inbox._leading.taken)
        threads.extend(Thread(inbox, number) for number in range(3))
        eventually(lambda: len(inbox._waiters) == 3)
        send(wire, {"type": "execute_request"}, 8)

    actor = threading.Thread(target=act)
    actor.start()
    assert inbox.next_request() == (8, {"type": "execute_request"})
    actor.join()
    for number in (2, 0, 1):
        reply(wire, number)
    for thread in threads:
        assert isinstance(thread.outcome(), dict)


def test_tasks_wait_without_holding_up_their_loop_nor_threads(inbox: Inbox, wire: Wire) -> None:
    # verifies: HOST-03
    async def wait(number: int) -> int:
        waiter = TaskWaiter(CALL, number, 7)
        inbox.add(waiter)
        return (await inbox.wait_async(waiter))["value"]

    async def all_of_them() -> list[int]:
        tasks = [asyncio.create_task(wait(number)) for number in range(50)]
        await asyncio.sleep(0)
        thread = Thread(inbox, 100)
        for number in [100, *range(49, -1, -1)]:
            reply(wire, number)
        values = await asyncio.wait_for(asyncio.gather(*tasks), DEADLINE_S)
        assert isinstance(await asyncio.to_thread(thread.outcome), dict)
        return values

    assert asyncio.run(all_of_them()) == list(range(50))
    assert inbox._waiters == {}
    assert inbox._loops == {}


def test_an_interrupt_reaches_the_threads_and_tasks_of_the_cell_and_no_others(inbox: Inbox, wire: Wire) -> None:
    # verifies: HOST-03, TIME-02
    mine = Thread(inbox, 1)
    asking = Thread(inbox, 1, "input_reply")
    other = ThreadWaiter(CALL, 2, 6)
    inbox.add(other)
    eventually(lambda: len(inbox._waiters) == 3)
    inbox.interrupt(7)
    assert isinstance(mine.outcome(), KeyboardInterrupt)
    assert other.reply is None
    assert asking.is_alive()
    inbox.end_questions(7)
    assert isinstance(asking.outcome(), EOFError)


def test_the_end_of_the_connection_ends_every_wait(inbox: Inbox, wire: Wire) -> None:
    # verifies: HOST-01
    threads = [Thread(inbox, number) for number in range(3)]
    eventually(lambda: len(inbox._waiters) == 3)
    wire.agent.close()
    for thread in threads:
        assert isinstance(thread.outcome(), EOFError)
    assert inbox.next_request() is None
    assert isinstance(Thread(inbox, 9).outcome(), EOFError)


def test_whoever_reads_does_at_once_what_need_not_wait(inbox: Inbox, wire: Wire) -> None:
    # verifies: HOST-01
    done: list[dict] = []
    inbox.at_once["client_left"] = done.append
    thread = Thread(inbox, 1)
    send(wire, {"type": "client_left", "client": "x"})
    reply(wire, 1)
    thread.outcome()
    assert done == [{"type": "client_left", "client": "x"}]


def test_a_wait_within_a_read_of_the_same_thread_is_refused(inbox: Inbox, wire: Wire) -> None:
    # verifies: HOST-03
    refused: list[str] = []

    def finalize(_: dict) -> None:
        waiter = ThreadWaiter(CALL, 2, 7)
        inbox.add(waiter)
        with pytest.raises(RuntimeError) as error:
            inbox.wait(waiter)
        refused.append(str(error.value))

    inbox.at_once["client_left"] = finalize
    thread = Thread(inbox, 1)
    send(wire, {"type": "client_left", "client": "x"})
    reply(wire, 1)
    assert isinstance(thread.outcome(), dict)
    assert len(refused) == 1


def test_a_request_that_came_before_the_main_thread_said_that_it_waits(
    inbox: Inbox, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    # verifies: HOST-03, KERN-10
    with inbox._leading as leads:
        assert leads
        looked = iter([False])

        def has_request(self: Inbox) -> bool:
            """The first look is over when another thread, which reads, hands the request over."""
            first = next(looked, None)
            if first is not None:
                self._requests.append((8, {"type": "execute_request"}))
                return first
            return bool(self._requests)

        monkeypatch.setattr(Inbox, "has_request", property(has_request))
        got: list[object] = []
        main = threading.Thread(target=lambda: got.append(inbox.next_request()), daemon=True)
        main.start()
        main.join(DEADLINE_S)
        assert got == [(8, {"type": "execute_request"})]


def test_a_long_request_arrives_whole(inbox: Inbox, wire: Wire) -> None:
    # verifies: EXEC-05
    code = "x" * 1_000_000
    sender = threading.Thread(target=send, args=[wire, {"type": "execute_request", "code": code}])
    sender.start()
    assert inbox.next_request() == (7, {"type": "execute_request", "code": code})
    sender.join()


def test_a_request_that_breaks_off_is_none(inbox: Inbox, wire: Wire) -> None:
    # verifies: KERN-05
    wire.agent.sendall(frames.pack_header(200_000, frames.REQUEST, 0, 0, 7, 0) + bytes(100_000))
    wire.agent.close()
    assert inbox.next_request() is None
