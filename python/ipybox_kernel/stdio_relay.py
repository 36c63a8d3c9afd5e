"""An MCP server in the sandbox: run by a cell of a kernel of its own, which the host speaks to.

What the host sends are the answers to ``input()``, a line each. What the server writes goes to the kernel's own
file descriptors, and so to the host. ``src/mcp/relay-transport.ts`` is the other side.
"""

import json
import os
import subprocess
import threading
from typing import Any

#: The server has so long to end once its input has.
_END_S = 1.5


def relay() -> None:
    """Runs the server that the first line describes, until there is no more input."""
    spec = json.loads(input())
    server = _start(spec)
    threading.Thread(target=_end_with, args=(server,), daemon=True).start()
    assert server.stdin is not None
    try:
        while True:
            server.stdin.write(input().encode() + b"\n")
            server.stdin.flush()
    except (EOFError, BrokenPipeError):
        pass
    try:
        server.stdin.close()
        server.wait(_END_S)
    except (BrokenPipeError, subprocess.TimeoutExpired):
        server.kill()


def _start(spec: dict[str, Any]) -> "subprocess.Popen[bytes]":
    command = [spec["command"], *spec["args"]]
    return subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, **spec["env"]}, cwd=spec.get("cwd"))


def _end_with(server: "subprocess.Popen[bytes]") -> None:
    """The kernel is there for the server: when that ends, so does the kernel, after all that was written."""
    status = server.wait()
    os._exit(status if status >= 0 else 128 - status)
