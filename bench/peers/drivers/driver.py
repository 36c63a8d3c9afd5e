"""Measures a Python client: takes operations as JSON lines on stdin, answers each with one line on stdout.

What the operations are stands in ``../peer.ts``. The times are taken here, around the client's own calls,
so what carries the lines is not in them. A client has ``start()``, which gives a session with a kernel of its own; a session has ``execute(code)``,
which gives text and number of images, ``stream(code)``, which gives text as it comes, and ``close()``.
"""

import asyncio
import json
import os
import sys
import time
import traceback
from typing import Any


class Driver:
    def __init__(self, client: Any) -> None:
        self._client = client
        self._session: Any = None

    async def execute(self, code: str, expect: str | None, count: int, pauseMs: float) -> dict:
        session = await self._main_session()
        samples, lost = [], 0
        for _ in range(count):
            started = time.perf_counter_ns()
            text, _ = await session.execute(code)
            samples.append((time.perf_counter_ns() - started) / 1e6)
            if expect is not None:
                lost += _missing(text, expect)
            if pauseMs > 0:
                await asyncio.sleep(pauseMs / 1e3)
        return {"ms": samples, "lost": lost}

    async def first(self, code: str, expect: str | None, images: int, count: int) -> dict:
        samples, lost = [], 0
        for _ in range(count):
            started = time.perf_counter_ns()
            session = await self._client.start()
            text, shown = await session.execute(code)
            samples.append((time.perf_counter_ns() - started) / 1e6)
            if shown != images:
                lost += 1
            elif expect is not None:
                lost += _missing(text, expect)
            await session.close()
        return {"ms": samples, "lost": lost}

    async def delay(self, count: int, pauseMs: float) -> dict:
        session = await self._main_session()
        pause = pauseMs / 1e3
        code = f"import time\nfor _ in range({count}):\n    print(time.time_ns())\n    time.sleep({pause})\n"
        samples, rest = [], ""
        async for text in session.stream(code):
            now = time.time_ns()
            *lines, rest = (rest + text).split("\n")
            samples += [(now - int(line)) / 1e6 for line in lines if line]
        return {"ms": samples, "lost": count - len(samples)}

    async def print(self, code: str, limitMs: float) -> dict:
        session = await self._client.start()
        received, failure = 0, None
        started = time.perf_counter_ns()
        try:
            async with asyncio.timeout(limitMs / 1e3):
                async for text in session.stream(code):
                    received += len(text)
        except TimeoutError:
            failure = f"not done after {limitMs / 1e3:g} s"
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"[:200]
        seconds = (time.perf_counter_ns() - started) / 1e9
        if failure is None:
            await session.close()
        return {"received": received, "seconds": seconds, "failure": failure}

    async def throughput(self, clients: int, seconds: float) -> float:
        sessions = [await self._client.start() for _ in range(clients)]
        done = 0

        async def run(session: Any, until: float) -> None:
            nonlocal done
            while time.perf_counter() < until:
                await session.execute("1+1")
                done += 1

        until = time.perf_counter() + 0.5
        await asyncio.gather(*(run(session, until) for session in sessions))
        done = 0
        started = time.perf_counter()
        await asyncio.gather(*(run(session, started + seconds) for session in sessions))
        rate = done / (time.perf_counter() - started)
        for session in sessions:
            await session.close()
        return rate

    async def pid(self) -> int:
        text, _ = await (await self._main_session()).execute("import os; print(os.getpid())")
        return int(text)

    async def renew(self) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _main_session(self) -> Any:
        if self._session is None:
            self._session = await self._client.start()
        return self._session


def _missing(text: str | None, expect: str) -> int:
    """1 when the result is not there at all; a wrong one is an error. Only the last line is looked at."""
    if not text:
        return 1
    if text.split("\n")[-1] == expect:
        return 0
    raise AssertionError(f"expected {expect!r}, got {text!r}")


async def _serve(client: Any) -> None:
    loop = asyncio.get_running_loop()
    driver = Driver(client)
    # What the client or its kernel may print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        request = json.loads(line)
        try:
            outcome = {"value": await getattr(driver, request["operation"])(**request["parameters"])}
        except Exception:
            outcome = {"error": traceback.format_exc(limit=-3)}
        answers.write(json.dumps(outcome) + "\n")
        if request["operation"] == "close":
            break


def serve(client: Any) -> None:
    asyncio.run(_serve(client))
