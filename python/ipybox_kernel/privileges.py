"""Takes every privilege from a kernel's process, right after the fork."""

import ctypes
import errno
import functools
import os
import struct

from . import landlock

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SYS_CAPSET = 126 if os.uname().machine == "x86_64" else 91
_LINUX_CAPABILITY_VERSION_3 = 0x20080522
#: A kernel's priority; that of agent and zygote is in image/entrypoint.sh.
_KERNEL_NICE = -10
#: Where none above the others' may be had.
_STEPPED_BACK_NICE = 10


def prepare() -> None:
    """Looks up, before the fork, what `prepare_to_drop` needs."""
    _bounding_set()


def become_subreaper() -> None:
    """Orphans of kernels become children of the caller, so that it can reap them."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl(PR_SET_CHILD_SUBREAPER)")


def prepare_to_drop() -> landlock.Ruleset | None:
    """The part of `drop_privileges` that depends on no user, which a process can do while it waits to be asked for."""
    for capability in _bounding_set():
        _check(_libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0), "prctl(PR_CAPBSET_DROP)")
    return landlock.make_ruleset()


def drop_privileges(uid: int, gid: int, groups: list[int], ruleset: landlock.Ruleset | None) -> None:
    """Afterwards the process has another user, no capability in any set, and can't get one. ``ruleset`` is what
    `prepare_to_drop` has given.

    The order matters: ``oom_score_adj`` belongs to root once the user has changed, and a priority takes the
    capability SYS_NICE.
    """
    score = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(score, b"1000")
    os.close(score)
    go_before_children()
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if os.getresuid() != (uid, uid, uid) or os.getresgid() != (gid, gid, gid):
        raise PermissionError(errno.EPERM, f"the process is still another user than {uid}:{gid}")
    header = struct.pack("<Ii", _LINUX_CAPABILITY_VERSION_3, 0)
    _check(_libc.syscall(_SYS_CAPSET, header, bytes(24)), "capset")
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")
    leave_siblings(ruleset)


@functools.cache
def _bounding_set() -> list[int]:
    """The capabilities that a program could still get: those of the container, the same for all that is forked."""
    with open("/proc/self/status") as file:
        (mask,) = [int(line.split()[1], 16) for line in file if line.startswith("CapBnd:")]
    return [capability for capability in range(mask.bit_length()) if mask >> capability & 1]


def go_before_children(pid: int = 0) -> None:
    """Gives a kernel nearly the agent's priority, and all threads and processes that it starts the usual, lower one.

    The agent answers, however many those are. The kernel itself must not be far behind it: else each print
    wakes an agent that takes the kernel's processor at once. Only processes of one container compete in this
    way: between containers, and with the host, their shares are what counts.
    """
    try:
        os.setpriority(os.PRIO_PROCESS, pid, _KERNEL_NICE)
        os.sched_setscheduler(pid, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
    except PermissionError:
        pass  # a daemon without root can't grant it: see `step_back`


def go_behind() -> None:
    """While a process only prepares for what may come, others go before it."""
    if os.getpriority(os.PRIO_PROCESS, 0) < 0:  # else it might not get back to where it was
        os.setpriority(os.PRIO_PROCESS, 0, _STEPPED_BACK_NICE)


def step_back() -> None:
    """Where a kernel has no priority of its own, it has a lower one than the agent with all that it starts.

    Not before the kernel is ready, which must not take longer for it.
    """
    if os.getpriority(os.PRIO_PROCESS, 0) >= 0:
        os.setpriority(os.PRIO_PROCESS, 0, _STEPPED_BACK_NICE)


def leave_siblings(ruleset: landlock.Ruleset | None) -> None:
    """Keeps the kernels of a container apart, although they have the same user.

    Where that can't be done, none may be traced: then /proc/self stays closed to the kernel itself, too.
    """
    _check(_libc.prctl(_PR_SET_DUMPABLE, 1 if landlock.enter_domain(ruleset) else 0, 0, 0, 0), "prctl(PR_SET_DUMPABLE)")


def _check(result: int, call: str) -> None:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{call}: {os.strerror(error)}")
