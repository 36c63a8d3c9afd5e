"""Lines that are shell commands. An interrupt ends the command, and with it the cell."""

import os
import signal
import subprocess
from collections.abc import Callable
from typing import Any, TypeVar

from .channel import Channel

T = TypeVar("T")


def run_command(command: str, channel: Channel) -> int:
    """``!cmd``: writes to the kernel's own file descriptors, so that the order of all output holds. Gives its exit code, that of a
    signal negative."""
    return _run(channel, lambda process: process.wait(), command, executable="/bin/bash")


def read_command(command: str, channel: Channel) -> str:
    """``x = !cmd``: gives what it writes, in IPython's choice of a shell."""
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    output = _run(channel, lambda process: process.communicate()[0], command, executable=os.environ.get("SHELL"), **streams)
    return output.decode("utf-8", "replace")


def _run(channel: Channel, follow: Callable[[subprocess.Popen[bytes]], T], command: str, **options: Any) -> T:
    process: subprocess.Popen[bytes] | None = None
    try:
        with channel.uninterrupted():
            process = subprocess.Popen(command, shell=True, **options)
        return follow(process)
    except BaseException:  # in most cases an interrupt
        if process is not None:
            _end(process)
        raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process group was interrupted; what ignored that, or started later, must not outlive the cell."""
    with process:  # closes its pipes
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.kill()
