"""Takes every privilege from a kernel's process, right after the fork."""

import ctypes
import errno
import os
import struct

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SYS_CAPSET = 126 if os.uname().machine == "x86_64" else 91
_SYS_LANDLOCK_CREATE_RULESET = 444
_SYS_LANDLOCK_RESTRICT_SELF = 446
_LANDLOCK_CREATE_RULESET_VERSION = 1
_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET = 1
_LANDLOCK_SCOPE_SIGNAL = 2
_LINUX_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY_BOUND = 64
_NICE = 10


def become_subreaper() -> None:
    """Orphans of kernels become children of the caller, so that it can reap them."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl(PR_SET_CHILD_SUBREAPER)")


def drop_privileges(uid: int, gid: int, groups: list[int]) -> None:
    """Afterwards the process has another user, no capability in any set, and can't get one.

    The order matters: ``oom_score_adj`` belongs to root once the user has changed, and dropping
    from the bounding set needs the capability SETPCAP.
    """
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    for capability in range(_LAST_CAPABILITY_BOUND):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # beyond the last capability that this kernel knows
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    header = struct.pack("<Ii", _LINUX_CAPABILITY_VERSION_3, 0)
    _check(_libc.syscall(_SYS_CAPSET, header, bytes(24)), "capset")
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")
    leave_siblings()


def step_back() -> None:
    """Lets the agent and the zygote go first, however many processes a cell starts.

    Not before the kernel is ready, which must not take longer for it. Only processes of one container compete
    in this way: between containers, and with the host, their shares are what counts.
    """
    os.setpriority(os.PRIO_PROCESS, 0, _NICE)


def leave_siblings() -> None:
    """Keeps the kernels of a container apart, although they have the same user.

    Where that can't be done, none may be traced: then /proc/self stays closed to the kernel itself, too.
    """
    _check(_libc.prctl(_PR_SET_DUMPABLE, 1 if _enter_domain() else 0, 0, 0, 0), "prctl(PR_SET_DUMPABLE)")


def _enter_domain() -> bool:
    """Enters a Landlock domain of its own: processes outside can't be signalled or traced from inside.

    False where this Linux has none with scopes (ABI 6, Linux 6.12), and for a fork of a fork of … that
    would be the 17th layer.
    """
    abi = _libc.syscall(_SYS_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_CREATE_RULESET_VERSION)
    if abi < 6:
        return False
    scopes = _LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | _LANDLOCK_SCOPE_SIGNAL
    attributes = struct.pack("<QQQ", 0, 0, scopes)
    ruleset = _libc.syscall(_SYS_LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
    _check(ruleset, "landlock_create_ruleset")
    try:
        entered = _libc.syscall(_SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0)
        if entered < 0 and ctypes.get_errno() == errno.E2BIG:
            return False
        _check(entered, "landlock_restrict_self")
    finally:
        os.close(ruleset)
    return True


def _check(result: int, call: str) -> None:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{call}: {os.strerror(error)}")
