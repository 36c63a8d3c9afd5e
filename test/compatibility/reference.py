"""Runs cells in ipykernel and writes down the messages it answers with.

    python reference.py CELLS.json MESSAGES.json

CELLS.json holds a list of sessions, each a list of cells that share a kernel; MESSAGES.json gets, in
the same shape, a list of messages for each cell.
"""

import json
import queue
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from jupyter_client.manager import KernelManager

CELL_TIMEOUT_S = 20
#: Kernels at a time. Most of the time is spent waiting for what may come late.
PARALLEL = 3
#: Output at the level of file descriptors is read by a thread of ipykernel's, which may lag behind.
QUIET_S = 0.1
#: ipykernel sends what a thread has printed after at most 0.2 s.
LAST_QUIET_S = 0.4


class Session:
    def __init__(self) -> None:
        self.messages: dict[str, list[dict]] = {}
        # Over TCP the manager looks for ports that are free, and another session's kernel may take them first.
        self._manager = KernelManager(transport="ipc", ip=f"{tempfile.mkdtemp()}/kernel")
        self._manager.start_kernel()
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)

    def run(self, code: str) -> list[dict]:
        try:
            request = self._client.execute(code, store_history=True, allow_stdin=False)
        except UnicodeEncodeError:  # Jupyter's client can't send a lone surrogate
            return [{"type": "not_sent"}]
        messages = self.messages[request] = []
        deadline = time.monotonic() + CELL_TIMEOUT_S
        idle = False
        while not idle and self._manager.is_alive():
            idle = self._take(1) == ("idle", request)
            if time.monotonic() > deadline:
                self._manager.interrupt_kernel()
                messages.append({"type": "timeout"})
                break
        self._settle(QUIET_S)
        messages.append(self._reply(request))
        return messages

    def close(self) -> None:
        """Waits for what comes late, and ends the kernel."""
        self._settle(LAST_QUIET_S)
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def _settle(self, quiet_s: float) -> None:
        while self._take(quiet_s) is not None:
            pass

    def _take(self, timeout: float) -> tuple[str, str] | None:
        """The next message's kind (a status: which), and the request it belongs to."""
        try:
            message = self._client.get_iopub_msg(timeout=timeout)
        except queue.Empty:
            return None
        request = message["parent_header"].get("msg_id", "")
        kind, content = message["msg_type"], message["content"]
        if kind == "status":
            return content["execution_state"], request
        if kind != "execute_input" and request in self.messages:
            own = self.messages[request]
            # What comes after the reply is put before it: it belongs to the cell.
            place = len(own) - 1 if own and own[-1]["type"] == "execute_reply" else len(own)
            own.insert(place, {"type": kind, **content})
        return kind, request

    def _reply(self, request: str) -> dict:
        try:
            while True:
                reply = self._client.get_shell_msg(timeout=10)
                if reply["parent_header"].get("msg_id") == request:
                    return {"type": "execute_reply", **reply["content"]}
        except queue.Empty:
            return {"type": "no_reply"}


def answers_to(cells: list[str]) -> list[list[dict]]:
    session = Session()
    try:
        return [session.run(code) for code in cells]
    finally:
        session.close()


def main(cells_path: str, messages_path: str) -> None:
    with open(cells_path, encoding="utf-8") as file:
        sessions = json.load(file)
    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = list(pool.map(answers_to, sessions))
    with open(messages_path, "w", encoding="utf-8") as file:
        json.dump(answers, file, default=str)


main(*sys.argv[1:])
