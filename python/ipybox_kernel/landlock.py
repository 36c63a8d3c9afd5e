"""The Landlock domain of a kernel (https://docs.kernel.org/userspace-api/landlock.html)."""

import ctypes
import errno
import os
import struct
from contextlib import suppress
from dataclasses import dataclass

_libc = ctypes.CDLL(None, use_errno=True)

_CREATE_RULESET = 444
_ADD_RULE = 445
_RESTRICT_SELF = 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_WRITE_FILE = 1 << 1
_REFER = 1 << 13
_SCOPE_ABSTRACT_UNIX_SOCKET = 1
_SCOPE_SIGNAL = 2
#: The versions of Landlock that know REFER (Linux 5.19), and scopes (Linux 6.12).
_ABI_WITH_REFER = 2
_ABI_WITH_SCOPES = 6


@dataclass(frozen=True)
class Ruleset:
    """What a domain is made of; each process that enters one by it has a domain of its own."""

    descriptor: int
    has_scopes: bool
    #: The root directory as it was when the rules were made for what lies in it.
    root: tuple[int, int]


def make_ruleset() -> Ruleset | None:
    """The rules for a kernel: none where Linux has no such domains. Takes three quarters of the time that entering one does."""
    abi = _libc.syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    if abi < _ABI_WITH_REFER:
        return None
    scopes = _SCOPE_ABSTRACT_UNIX_SOCKET | _SCOPE_SIGNAL if abi >= _ABI_WITH_SCOPES else 0
    # What a rule handles is denied where no rule allows it: without REFER, no file could be moved to another directory.
    attributes = struct.pack("<QQQ", _WRITE_FILE | _REFER, 0, scopes)
    root = _root()
    descriptor = _check(_libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0), "landlock_create_ruleset")
    try:
        _allow_files(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return Ruleset(descriptor, scopes != 0, root)


def enter_domain(ruleset: Ruleset | None) -> bool:
    """Puts the process, and all that it starts, in a domain of its own. Tells whether its siblings are out of reach.

    Processes outside can't be signalled or traced from inside, nor their abstract sockets be reached. And nothing
    that Linux itself shows in /proc and /sys can be written, above all no ``oom_score_adj``: what cells start stays
    what Linux ends first.

    False where Linux has no scopes, and for a fork of a fork of … that would be the 17th layer. The rule for files
    is in effect all the same, if Linux has that, for a fork by the domain that it was made in.
    """
    if ruleset is not None and ruleset.root != _root():  # somebody has put something there since
        os.close(ruleset.descriptor)
        ruleset = make_ruleset()
    if ruleset is None:
        return False
    try:
        entered = _libc.syscall(_RESTRICT_SELF, ruleset.descriptor, 0)
        if entered < 0 and ctypes.get_errno() == errno.E2BIG:
            return False
        _check(entered, "landlock_restrict_self")
    finally:
        os.close(ruleset.descriptor)
    return ruleset.has_scopes


def _root() -> tuple[int, int]:
    status = os.stat("/")
    return status.st_ino, status.st_mtime_ns


def _allow_files(ruleset: int) -> None:
    """Lets all be written that lies below the root directory, but for /proc and /sys."""
    with os.scandir("/") as entries:
        for entry in entries:
            if entry.name not in ("proc", "sys") and not entry.is_symlink():
                _allow(ruleset, entry.path, _WRITE_FILE | _REFER if entry.is_dir() else _WRITE_FILE)
    with suppress(FileNotFoundError):
        # mq_open goes by a mount that is nowhere in the tree; but its root is this one's, to which the rule is bound.
        _allow(ruleset, "/dev/mqueue", _WRITE_FILE)


def _allow(ruleset: int, path: str, access: int) -> None:
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("<Qi", access, opened)
        _check(_libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0), "landlock_add_rule")
    finally:
        os.close(opened)


def _check(result: int, call: str) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{call}: {os.strerror(error)}")
    return result
