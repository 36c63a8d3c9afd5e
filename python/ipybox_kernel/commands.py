"""``!cmd``: a shell that writes to the kernel's own file descriptors, so that the order of all output holds."""

import signal
import subprocess

from .channel import Channel


def run_command(command: str, channel: Channel) -> int:
    """Runs a command to its end; gives its exit code, that of a signal negative."""
    process: subprocess.Popen | None = None
    try:
        with channel.uninterrupted():
            process = subprocess.Popen(command, shell=True, executable="/bin/bash")
        return process.wait()
    except KeyboardInterrupt:
        if process is not None:
            _end(process)
        raise


def _end(process: subprocess.Popen) -> None:
    """The process group was interrupted; what ignored that, or started later, must not outlive the cell."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
