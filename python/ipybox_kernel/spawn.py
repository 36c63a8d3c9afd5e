"""What happens in a process between its fork from the zygote and its first cell."""

import fcntl
import os
import signal
import site
import socket
import sys
from dataclasses import dataclass

from .landlock import Ruleset
from .privileges import drop_privileges

#: High, so that a cell that closes "all" low descriptors does not hit them.
_SOCKET_FD = 250
_STDOUT_SLOT_FD = 251
_STDERR_SLOT_FD = 252
_CONTROL_FD = 253


@dataclass(frozen=True)
class KernelSpec:
    """What the agent asks for."""

    uid: int
    gid: int
    groups: list[int]
    env: dict[str, str]
    cwd: str
    virtual_env: str


#: A kernel's socket to the agent, its control socket to the zygote, and its output slots.
Descriptors = tuple[socket.socket, socket.socket, list[int]]


def become_kernel(spec: KernelSpec, ruleset: Ruleset | None) -> None:
    """Turns a child of the zygote into a kernel's process."""
    drop_privileges(spec.uid, spec.gid, spec.groups, ruleset)
    # Files are shared by the container's kernels and with the image's user, by group.
    os.umask(0o002)
    _take_environment(spec.env)
    os.chdir(spec.cwd)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _enter_virtual_env(spec.virtual_env)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()  # preloaded: all kernels would draw the same numbers


def _take_environment(env: dict[str, str]) -> None:
    """Changes what differs: most is the zygote's own, and each change takes as long as looking at ten."""
    for name in os.environ.keys() - env.keys():
        del os.environ[name]
    for name, value in env.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def leave_zygote(control: int, stdout: int, stderr: int) -> tuple[socket.socket, list[int]]:
    """Leaves open: 0 (null), 1 and 2 (the output pipes), the control socket, and a copy of each pipe."""
    # First far away from the targets, so that no dup2 overwrites what the next one needs.
    sources = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 300) for fd in (control, stdout, stderr)]
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    placed = place_ends(*sources)
    os.closerange(3, _STDOUT_SLOT_FD)
    os.closerange(_CONTROL_FD + 1, 1 << 20)
    return placed


def place_ends(control: int, stdout: int, stderr: int) -> tuple[socket.socket, list[int]]:
    """Puts what leads to the zygote where it belongs: the control socket and the output slots. All others stay as they are."""
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.dup2(stdout, _STDOUT_SLOT_FD, inheritable=False)
    os.dup2(stderr, _STDERR_SLOT_FD, inheritable=False)
    os.dup2(control, _CONTROL_FD, inheritable=False)
    os.close(control)
    return socket.socket(fileno=_CONTROL_FD), [_STDOUT_SLOT_FD, _STDERR_SLOT_FD]


def place_socket(descriptor: int) -> socket.socket:
    """Puts the way to the agent where it belongs."""
    os.dup2(descriptor, _SOCKET_FD, inheritable=False)
    os.close(descriptor)
    return socket.socket(fileno=_SOCKET_FD)


def _enter_virtual_env(root: str) -> None:
    """From here on imports see what is installed in the virtual environment, as its own python does."""
    sys.executable = os.path.join(root, "bin", "python")
    sys.prefix = sys.exec_prefix = root
    packages = os.path.join(root, "lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages")
    own = list(sys.path)
    sys.path[:] = [path for path in own if path.startswith(sys.base_prefix)]
    site.PREFIXES[:] = [root]
    site.addsitedir(packages)
    sys.path += [path for path in own if path not in sys.path]
    sys.path.insert(0, "")
