"""What the zygote keeps for good is not counted any more; all else is, and goes when nobody has it."""

import gc
import os
import sys
import traceback
import weakref
from collections.abc import Callable

import pytest

from ipybox_kernel import immortal


class Thing:
    other: "Thing | None" = None
    content: list | None = None


def _in_a_fork(function: Callable[[], None]) -> None:
    """Calls it in a process that may keep all it has."""
    pid = os.fork()
    if pid == 0:
        try:
            function()
        except BaseException:
            os.write(2, traceback.format_exc().encode())
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_what_is_kept_is_not_counted_and_stays() -> None:
    # verifies: KERN-02
    def check() -> None:
        thing = Thing()
        reference = weakref.ref(thing)
        immortal.keep()
        count = sys.getrefcount(thing)
        many = [thing] * 1_000
        assert sys.getrefcount(thing) == count == sys.getrefcount(None)
        del many, thing
        gc.collect()
        assert reference() is not None

    _in_a_fork(check)


def test_what_they_hold_is_kept_in_steps() -> None:
    # verifies: KERN-02
    def check() -> None:
        things = [Thing() for _ in range(5_000)]
        for number, thing in enumerate(things):
            thing.content = [f"text {number}", 10**20 + number, float(number), bytes(8)]
        immortal.keep()
        assert max(sys.getrefcount(part) for thing in things for part in thing.content or ()) < 10
        assert sum(1 for _ in immortal.keep_contents()) > 5
        assert {sys.getrefcount(part) for thing in things for part in thing.content or ()} == {sys.getrefcount(None)}
        later = f"later {len(things)}"
        assert sys.getrefcount(later) < 10

    _in_a_fork(check)


def test_what_is_made_later_goes_when_nobody_has_it() -> None:
    # verifies: KERN-02
    def check() -> None:
        kept = Thing()
        immortal.keep()
        kept.other = Thing()
        of_a_kept_one = weakref.ref(kept.other)
        assert gc.collect() == 0
        assert of_a_kept_one() is not None
        kept.other = None
        assert of_a_kept_one() is None
        one, two = Thing(), Thing()
        one.other, two.other = two, one
        circle = weakref.ref(one)
        del one, two
        gc.collect()
        assert circle() is None

    _in_a_fork(check)


def test_a_call_that_is_under_way_lets_go_of_its_variables() -> None:
    # verifies: KERN-02
    def call() -> weakref.ref:
        sys._getframe()
        immortal.keep()
        variable = Thing()
        return weakref.ref(variable)

    def check() -> None:
        assert call()() is None

    _in_a_fork(check)


@pytest.mark.parametrize("version", [(3, 11, 2), (3, 14, 0)])
def test_in_another_python_they_are_counted_on_and_only_kept_from_the_collector(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int]
) -> None:
    # verifies: KERN-02
    monkeypatch.setattr(sys, "version_info", version)

    def check() -> None:
        thing = Thing()
        immortal.keep()
        count = sys.getrefcount(thing)
        many = [thing] * 1_000
        assert sys.getrefcount(thing) == count + len(many)
        assert gc.get_freeze_count() > 0

    _in_a_fork(check)
