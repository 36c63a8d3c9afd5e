"""Forks a process that its maker does not stay the parent of: the next child subreaper takes it, here the zygote.

For that there is a process in the middle, which forks the new one and ends at once. A process of its own would cost as much as
the new one: tables of all pages to be copied, and dropped again. So where it can, it borrows the memory of its maker, who sleeps
meanwhile (vfork), and does in there nothing but fork. Python can't return from vfork, so these steps are machine code.

What a C library does around a fork (`pthread_atfork`) is done in the middle, too: a thread that it starts afterwards for the parent would
end with that process. So a kernel with more than one thread takes the long way.
"""

import ctypes
import errno
import mmap
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from time import monotonic, sleep

_DEADLINE_S = 5
_libc = ctypes.CDLL(None, use_errno=True)

# In the words of C, with `f` the functions of `_FUNCTIONS`:
#
#   f.before();
#   pid_t middle = vfork();
#   if (middle == 0) {
#     pid_t forked = f.fork();
#     if (forked != 0) _exit(forked < 0 ? *f.errno_location() : 0);
#     f.after_in_child();
#     return 0;                    // in the new process, which has a stack of its own
#   }
#   f.after_in_parent();
#   return middle;                 // as Linux gives it: an errno below zero
#
# The sleeper's stack is not harmed: what runs in the middle never returns from here, and so writes below it alone.
_CODE = {
    "x86_64": bytes.fromhex(
        "53"  # push rbx
        "4154"  # push r12
        "4883ec08"  # sub rsp, 8          the stack is aligned for calls
        "4889fb"  # mov rbx, rdi          f
        "ff13"  # call [rbx]              before
        "b83a000000"  # mov eax, 58       vfork
        "0f05"  # syscall
        "85c0"  # test eax, eax
        "7521"  # jnz parent
        "ff5308"  # call [rbx + 8]        fork
        "85c0"  # test eax, eax
        "7412"  # jz child
        "31ff"  # xor edi, edi
        "85c0"  # test eax, eax
        "7905"  # jns end
        "ff5310"  # call [rbx + 16]       errno_location
        "8b38"  # mov edi, [rax]
        "b8e7000000"  # end: mov eax, 231 exit_group
        "0f05"  # syscall
        "4531e4"  # child: xor r12d, r12d
        "ff5318"  # call [rbx + 24]       after_in_child
        "eb06"  # jmp done
        "4189c4"  # parent: mov r12d, eax
        "ff5320"  # call [rbx + 32]       after_in_parent
        "4489e0"  # done: mov eax, r12d
        "4883c408"  # add rsp, 8
        "415c"  # pop r12
        "5b"  # pop rbx
        "c3"  # ret
    )
}
_FUNCTIONS = (
    ctypes.pythonapi.PyOS_BeforeFork,
    _libc.fork,
    _libc.__errno_location,
    ctypes.pythonapi.PyOS_AfterFork_Child,
    ctypes.pythonapi.PyOS_AfterFork_Parent,
)

#: Who may not do it that way can try the other one.
_REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)

#: Linux's numbers for x86-64.
_SYS_RSEQ = 334
_RSEQ_BYTES = 32
_RSEQ_SIGNATURE = 0x53053053


def fork_orphan() -> bool:
    """Whether this is the new process. Raises OSError where there can be none."""
    parent = os.getppid()
    middle = _by_code() if _code is not None and _has_one_thread() else _by_two_forks()
    if middle == 0:
        _begin(parent)
        return True
    try:
        _, status = os.waitpid(middle, 0)
    except ChildProcessError:
        return False  # a cell's own thread or handler has waited for it
    if code := os.waitstatus_to_exitcode(status):
        raise OSError(code, os.strerror(code))
    return False


def _by_code() -> int:
    """Gives the process in the middle; 0 in the new one."""
    assert _code is not None
    sys.audit("os.fork")
    middle = _code(_table)
    if -middle in _REFUSED:
        return _by_two_forks()
    if middle < 0:
        raise OSError(-middle, os.strerror(-middle))
    return middle


def _has_one_thread() -> bool:
    """Those of C libraries count, too."""
    return len(os.listdir("/proc/self/task")) == 1


def _by_two_forks() -> int:
    """The same with a process in the middle that has memory of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of cells stay behind
        middle = os.fork()
        if middle != 0:
            return middle
        try:
            forked = os.fork()
        except OSError as error:
            os._exit(error.errno or 1)
        if forked != 0:
            os._exit(0)
        return 0


def _begin(parent: int) -> None:
    """In the new process: what fails here must not go on as the old one."""
    try:
        if _code is not None:
            _register_rseq()
        _await_adoption(parent)
    except BaseException:
        os.write(2, traceback.format_exc().encode("utf-8", "replace")[-4000:])
        os._exit(1)


def _await_adoption(parent: int) -> None:
    deadline = monotonic() + _DEADLINE_S
    while os.getppid() != parent:
        if monotonic() > deadline:
            raise TimeoutError(f"process {os.getppid()}, in the middle, did not end within {_DEADLINE_S} s")
        sleep(0.0002)


def _register_rseq() -> None:
    """Linux forgets of who borrows memory where its restartable sequences are, and so of its children. The C library, which
    has registered them for good, would go on to read there on which processor it is."""
    try:
        size = ctypes.c_uint.in_dll(_libc, "__rseq_size").value
        offset = ctypes.c_ssize_t.in_dll(_libc, "__rseq_offset").value
    except ValueError:
        return  # a C library that does not use them
    if size > 0:
        _libc.syscall(_SYS_RSEQ, ctypes.c_void_p(_pthread_self() + offset), _RSEQ_BYTES, 0, _RSEQ_SIGNATURE)


def _load(code: bytes | None) -> Callable[[ctypes.Array], int] | None:
    """The code as a function that keeps Python's lock; none where memory can't be made executable."""
    if code is None or sys.maxsize < 2**32:
        return None
    page = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    _mapped.append(page)
    if _libc.mprotect(ctypes.c_void_p(address), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC) != 0:
        return None
    return ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p * len(_FUNCTIONS))(address)


_pthread_self = ctypes.CFUNCTYPE(ctypes.c_ulong)(("pthread_self", _libc))
_mapped: list[mmap.mmap] = []
_table = (ctypes.c_void_p * len(_FUNCTIONS))(*(ctypes.cast(function, ctypes.c_void_p).value for function in _FUNCTIONS))
_code = _load(_CODE.get(os.uname().machine))
