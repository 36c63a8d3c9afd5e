"""A process that is forked for somebody else: it falls to the subreaper, and is in all else what `os.fork` gives."""

import contextlib
import ctypes
import errno
import os
import resource
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from ipybox_kernel import orphan
from ipybox_kernel.privileges import become_subreaper

_needs_code = pytest.mark.skipif(os.uname().machine != "x86_64", reason="there is no machine code for this processor")
_by_each_way = pytest.mark.parametrize("way", [pytest.param("code", marks=_needs_code), "two forks"])


@pytest.fixture(autouse=True)
def _way(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    way = getattr(request.node, "callspec", None)
    if way is not None and way.params.get("way") == "two forks":
        monkeypatch.setattr(orphan, "_code", None)
    elif way is not None:
        assert orphan._code is not None


def _forked(maker: Callable[[], object], new: Callable[[], object]) -> tuple[str, str]:
    """What a process says that forks an orphan, and what the orphan says. Both run below a subreaper."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(read)
        become_subreaper()
        if os.fork() == 0:
            try:
                is_new = orphan.fork_orphan()
                said = f"{'new' if is_new else 'maker'} {new() if is_new else maker()}\n"
            except BaseException:
                said = traceback.format_exc()
            os.write(write, said.encode())
            os._exit(0)
        with contextlib.suppress(ChildProcessError):
            while os.wait():
                pass
        os._exit(0)
    os.close(write)
    with open(read) as stream:
        lines = stream.read().splitlines()
    os.wait()
    assert sorted(line.split()[0] for line in lines) == ["maker", "new"], lines
    answers = dict(line.split(" ", 1) for line in lines)
    return answers["maker"], answers["new"]


@_by_each_way
def test_it_falls_to_the_subreaper_and_leaves_its_maker_no_child(way: str) -> None:
    # verifies: KERN-03
    def children() -> object:
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        return os.getppid()

    makers_parent, parent = _forked(children, os.getppid)
    assert makers_parent == parent


@_by_each_way
def test_what_it_writes_is_its_own(way: str) -> None:
    # verifies: KERN-03
    values = list(range(100_000))

    def change(by: int) -> int:
        values[:] = [value + by for value in values]
        return sum(values)

    first = sum(values)
    assert _forked(lambda: change(1), lambda: change(2)) == (str(first + 100_000), str(first + 200_000))


@_by_each_way
def test_handlers_at_forks_run_in_both(way: str) -> None:
    # verifies: KERN-03
    seen: list[str] = []
    os.register_at_fork(
        before=lambda: seen.append("before"),
        after_in_parent=lambda: seen.append("in the maker"),
        after_in_child=lambda: seen.append("in the new"),
    )

    def said() -> str:
        return f"{seen[-2]}, {seen[-1]}"

    maker, new = _forked(said, said)
    assert (maker, new) == ("before, in the maker", "before, in the new")


@_by_each_way
def test_only_the_thread_that_forks_is_in_it_and_new_ones_can_be_started(way: str) -> None:
    # verifies: KERN-03
    def threads() -> int:
        started = threading.Thread(target=lambda: None)
        started.start()
        started.join(5)
        assert not started.is_alive()
        return threading.active_count()

    def fork_beside_a_thread() -> bool:
        stop = threading.Event()
        threading.Thread(target=stop.wait, daemon=True).start()
        return original()

    original = orphan.fork_orphan
    orphan.fork_orphan = fork_beside_a_thread
    try:
        maker, new = _forked(threads, threads)
    finally:
        orphan.fork_orphan = original
    assert (maker, new) == ("2", "1")


@_by_each_way
def test_it_goes_deep_and_forks_again(way: str) -> None:
    # verifies: KERN-04
    def deep(levels: int) -> int:
        return 0 if levels == 0 else 1 + deep(levels - 1)

    def again() -> str:
        sys.setrecursionlimit(20_000)
        return f"{deep(15_000)} {_forked(lambda: 'm', lambda: 'n')}".replace("\n", " ")

    _, new = _forked(lambda: "-", again)
    assert new == "15000 ('m', 'n')"


@_by_each_way
@pytest.mark.skipif(os.geteuid() == 0, reason="root has no such bound")
def test_without_room_for_one_it_is_an_error_and_the_maker_goes_on(way: str) -> None:
    # verifies: KERN-03
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        try:
            orphan.fork_orphan()
            said = "forked"
        except OSError as error:
            said = errno.errorcode[error.errno or 0]
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with open(read) as stream:
        assert stream.read() == "EAGAIN"
    os.waitpid(pid, 0)


def test_handlers_of_libraries_run_in_the_maker_itself_when_it_has_threads() -> None:
    # verifies: KERN-03
    seen: list[int] = []
    handler = ctypes.CFUNCTYPE(None)(lambda: seen.append(os.getpid()))

    def fork() -> bool:
        ctypes.CDLL(None).__register_atfork(None, handler, None, None)
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        return original()

    original = orphan.fork_orphan
    orphan.fork_orphan = fork
    try:
        maker, _ = _forked(lambda: seen == [os.getpid()], lambda: None)
    finally:
        orphan.fork_orphan = original
    assert maker == "True"


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.ENOSYS])
def test_who_may_not_borrow_memory_forks_twice(monkeypatch: pytest.MonkeyPatch, refusal: int) -> None:
    # verifies: KERN-03
    monkeypatch.setattr(orphan, "_code", lambda _: -refusal)
    makers_parent, parent = _forked(os.getppid, os.getppid)
    assert makers_parent == parent


@_needs_code
def test_a_fork_that_fails_in_the_middle_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # verifies: KERN-03
    @ctypes.CFUNCTYPE(ctypes.c_int)
    def no_fork() -> int:
        return -1

    number = ctypes.c_int(errno.ENOMEM)

    @ctypes.CFUNCTYPE(ctypes.c_void_p)
    def errno_location() -> int:
        return ctypes.addressof(number)

    table = type(orphan._table)(*orphan._table)
    table[1] = ctypes.cast(no_fork, ctypes.c_void_p).value
    table[2] = ctypes.cast(errno_location, ctypes.c_void_p).value
    monkeypatch.setattr(orphan, "_table", table)
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    before = children.read_text()  # the first process of a container has others' as well
    with pytest.raises(OSError, match="Cannot allocate memory"):
        orphan.fork_orphan()
    assert children.read_text() == before


@_needs_code
def test_the_kernel_knows_its_restartable_sequences() -> None:
    # verifies: KERN-03
    def registered() -> str:
        libc = ctypes.CDLL(None, use_errno=True)
        offset = ctypes.c_ssize_t.in_dll(libc, "__rseq_offset").value
        area = ctypes.c_void_p(orphan._pthread_self() + offset)
        done = libc.syscall(orphan._SYS_RSEQ, area, orphan._RSEQ_BYTES, 0, orphan._RSEQ_SIGNATURE)
        return f"{done} {errno.errorcode.get(ctypes.get_errno())}"

    _, new = _forked(lambda: None, registered)
    assert new == "-1 EBUSY"


def test_an_orphan_that_is_never_adopted_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    # verifies: KERN-03
    monkeypatch.setattr(orphan, "_DEADLINE_S", 0.1)
    read, write = os.pipe()
    if os.fork() == 0:
        os.dup2(write, 2)
        become_subreaper()  # so it is the maker's own child, for good
        orphan.fork_orphan()
        os.write(write, b"maker\n")
        with contextlib.suppress(ChildProcessError):
            os.write(write, f"ended with {os.waitstatus_to_exitcode(os.wait()[1])}\n".encode())
        os._exit(0)
    os.close(write)
    with open(read) as stream:
        said = stream.read()
    os.wait()
    assert "did not end within" in said
    assert "ended with 1" in said
    assert said.count("maker\n") == 1
