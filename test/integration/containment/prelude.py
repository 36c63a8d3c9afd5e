# What every probe uses. A probe gives None when the sandbox holds, and else what it saw.
import ctypes
import errno
import json
import os
import platform
import resource
import signal
import socket
import stat
import struct

EPERM, ENOSYS = errno.EPERM, errno.ENOSYS
X86 = platform.machine() == "x86_64"
PROBES = {}

_libc = ctypes.CDLL(None, use_errno=True)
# Numbers of system calls: of x86-64, and of 64-bit ARM. None: the architecture has no such call.
_NUMBERS = {
    "getpid": (39, 172), "prlimit64": (302, 261), "personality": (135, 92), "clone": (56, 220), "socketpair": (53, 199),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "io_setup": (206, 0), "io_submit": (209, 2),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "fanotify_init": (300, 262),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "swapon": (167, 224), "quotactl": (179, 60),
    "unshare": (272, 97), "setns": (308, 268), "clone3": (435, 435),
    "clock_settime": (227, 112), "clock_adjtime": (305, 266), "settimeofday": (164, 170), "adjtimex": (159, 171),
    "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "reboot": (169, 142), "acct": (163, 89), "syslog": (103, 116), "sethostname": (170, 161), "setdomainname": (171, 162),
    "vhangup": (153, 58), "get_mempolicy": (239, 236), "mbind": (237, 235), "migrate_pages": (256, 238),
    "move_pages": (279, 239), "memfd_secret": (447, 447), "landlock_create_ruleset": (444, 444),
}


def probe(group, name, title):
    def register(function):
        PROBES[name] = function
        return function
    return register


def run_probes(names, context):
    """Runs probes one after the other; what one raises is what it saw."""
    outcomes = {}
    for name in names:
        try:
            outcomes[name] = PROBES[name](context)
        except BaseException as error:
            outcomes[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(outcomes))


def call(name, *arguments):
    """Makes a system call past all libraries; gives its result and the error's number."""
    number = _NUMBERS[name][0 if X86 else 1]
    if number is None:
        return -1, ENOSYS
    ctypes.set_errno(0)
    result = _libc.syscall(ctypes.c_long(number), *(ctypes.c_long(one) if isinstance(one, int) else one for one in arguments))
    return result, ctypes.get_errno()


def refused(name, *arguments):
    """Arguments are such that Linux itself would say something else than the filter."""
    result, error = call(name, *arguments)
    if result == -1 and error in (EPERM, ENOSYS):
        return None
    return f"{name} gives {result} {errno.errorcode.get(error, error)}"


def all_refused(*calls):
    return first(refused(*one) for one in calls)


def first(outcomes):
    return next((outcome for outcome in outcomes if outcome is not None), None)


def denied(what, function, *errors):
    """The function must fail with one of these errors."""
    try:
        seen = function()
    except OSError as error:
        if error.errno in errors:
            return None
        return f"{what} fails with {errno.errorcode.get(error.errno, error.errno)}"
    return f"{what} succeeds: {seen!r:.80}"


def read(path):
    with open(path, "rb") as file:
        return file.read(1 << 20).decode(errors="replace")


def status(pid="self"):
    return dict(line.split(":\t", 1) for line in read(f"/proc/{pid}/status").splitlines() if ":\t" in line)


def expect(what, seen, wanted):
    return None if seen == wanted else f"{what} is {seen!r}, not {wanted!r}"


def processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def in_child(function, seconds=5):
    """Runs it in a process of its own: the status that it ends with, or minus the signal."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(seconds)
        try:
            os._exit(function() or 0)
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
