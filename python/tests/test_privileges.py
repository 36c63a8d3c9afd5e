"""A kernel's priority where none above the others' may be had."""

import os

import pytest

from ipybox_kernel import privileges


def test_where_no_priority_is_granted_a_kernel_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    # verifies: LIFE-04
    given: list[int] = []

    def setpriority(_which: int, _pid: int, nice: int) -> None:
        if nice < 0:
            raise PermissionError
        given.append(nice)

    monkeypatch.setattr(os, "setpriority", setpriority)
    monkeypatch.setattr(os, "getpriority", lambda *_: 0)
    privileges.go_before_children()
    assert given == []
    privileges.step_back()
    assert given == [10]


def test_where_it_is_granted_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    # verifies: LIFE-04
    given: list[int] = []
    monkeypatch.setattr(os, "setpriority", lambda _which, _pid, nice: given.append(nice))
    monkeypatch.setattr(os, "getpriority", lambda *_: given[-1])
    monkeypatch.setattr(os, "sched_setscheduler", lambda *_: None)
    privileges.go_before_children()
    privileges.step_back()
    assert given == [-10]
