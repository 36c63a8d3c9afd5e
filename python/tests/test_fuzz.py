"""What a kernel reads may be anything: it is read, or refused with an ordinary error."""

import json
import os
import random
from collections.abc import Iterator
from typing import Any

from ipybox_kernel import frames

RUNS = int(os.environ.get("FUZZ_RUNS", "10000"))
SEED = int(os.environ.get("FUZZ_SEED", random.SystemRandom().randrange(2**31)))


def some_json(rng: random.Random, depth: int = 2) -> Any:
    kind = rng.randrange(8 if depth > 0 else 6)
    if kind == 6:
        return [some_json(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind == 7:
        return {rng.choice(["type", "data", "buffers", "a", ""]): some_json(rng, depth - 1) for _ in range(rng.randrange(4))}
    return [None, True, rng.randrange(-3, 3), rng.random() * 1e9, "text", "\ud800"][kind]


def some_path(rng: random.Random) -> Any:
    return rng.choice([["data", "x"], ["data"], ["list", "1"], ["list", "9"], ["a", "b"], [], some_json(rng)])


def some_payload(rng: random.Random) -> bytes:
    message: Any = {"type": "set_request", "data": {}, "list": [0, 1]}
    message["buffers"] = [[some_path(rng), rng.choice([0, 1, 5, -1, 2**40, "x"])] for _ in range(rng.randrange(3))]
    if rng.random() < 0.3:
        message[rng.choice(list(message))] = some_json(rng)
    if rng.random() < 0.1:
        message = some_json(rng)
    text = json.dumps(message).encode()
    length = len(text) + (rng.randrange(-5, 2**20) if rng.random() < 0.1 else 0)
    payload = max(length, 0).to_bytes(4, "little") + text + rng.randbytes(rng.randrange(10))
    return payload[: rng.randrange(len(payload))] if rng.random() < 0.1 else payload


def refusals(payloads: Iterator[bytes]) -> list[type]:
    """Reads all of them; gives the errors of those that are refused."""
    refused: list[type] = []
    for payload in payloads:
        try:
            frames.decode_message(payload)
        except Exception as error:
            refused.append(type(error))
    return refused


def test_messages_are_read_or_refused() -> None:  # verifies: LIFE-05
    print(f"FUZZ_SEED={SEED}")
    rng = random.Random(SEED)
    refused = refusals(some_payload(rng) for _ in range(RUNS))
    assert 0 < len(refused) < RUNS
    assert not {MemoryError, RecursionError} & set(refused)


def test_bytes_of_anything_are_read_or_refused() -> None:  # verifies: LIFE-05
    rng = random.Random(SEED)
    refused = refusals(rng.randbytes(rng.randrange(60)) for _ in range(RUNS))
    assert not {MemoryError, RecursionError} & set(refused)


def test_what_is_written_is_read() -> None:  # verifies: LIFE-05
    rng = random.Random(SEED)
    for _ in range(RUNS):
        message: dict[str, Any] = {"type": "display_data", "data": {"text/plain": some_json(rng)}}
        data = rng.randbytes(rng.randrange(50))
        payload = frames.encode_message(message, [(["data", "image/png"], data)])
        header = frames.HEADER.unpack_from(frames.frame(frames.MESSAGE, payload, 7))
        assert header[0] == len(payload)
        assert frames.decode_message(payload) == {**message, "data": {**message["data"], "image/png": data}}
