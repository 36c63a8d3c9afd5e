"""What a watch tells of directories that are filled while it looks, in a directory of the test's own."""

import os
from pathlib import Path

import pytest

from ipybox_kernel.files import watch
from ipybox_kernel.files.watch import _Watcher


def lines(watcher: _Watcher) -> list[str]:
    return [f"{event['type']} {event['path']}" for event in watcher.events()]


@pytest.fixture
def watcher(tmp_path: Path) -> _Watcher:
    watcher = _Watcher(os.fsencode(tmp_path), None, True)
    watcher.begin()
    return watcher


def test_what_is_made_while_a_new_directory_is_looked_at_is_told_once(
    watcher: _Watcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # verifies: FILE-01
    steps = iter([tmp_path / "new/x", tmp_path / "new/x/y", tmp_path / "new/x/y/z"])
    listing = watch._list

    def make_and_list(path: bytes) -> list[tuple[bytes, bool]]:
        for step in steps:
            step.mkdir()
            break
        return listing(path)

    monkeypatch.setattr(watch, "_list", make_and_list)
    (tmp_path / "new").mkdir()
    told = lines(watcher) + lines(watcher)
    assert sorted(told) == ["created new", "created new/x", "created new/x/y", "created new/x/y/z"]


def test_what_is_made_between_two_looks_at_a_directory_is_told_once(
    watcher: _Watcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # verifies: FILE-01
    listing = watch._list
    looked: list[bytes] = []

    def list_and_make(path: bytes) -> list[tuple[bytes, bool]]:
        found = listing(path)
        looked.append(path)
        if len(looked) == 1:
            (tmp_path / "new/x").mkdir()  # the watch tells of it
        if len(looked) == 2:
            (tmp_path / "new/x/y").mkdir()
        return found

    monkeypatch.setattr(watch, "_list", list_and_make)
    (tmp_path / "new").mkdir()
    told = lines(watcher) + lines(watcher) + lines(watcher)
    assert sorted(told) == ["created new", "created new/x", "created new/x/y"]


def test_a_file_that_comes_back_is_told_again(watcher: _Watcher, tmp_path: Path) -> None:
    # verifies: FILE-01
    (tmp_path / "new").mkdir()
    (tmp_path / "new/file").touch()
    assert sorted(lines(watcher)) == ["created new", "created new/file"]
    (tmp_path / "new/file").unlink()
    (tmp_path / "new/file").touch()
    assert lines(watcher) == ["removed new/file", "created new/file"]
    (tmp_path / "new").rename(tmp_path / "newer")
    assert lines(watcher) == ["renamed newer"]
    (tmp_path / "newer/file").unlink()
    assert lines(watcher) == ["removed newer/file"]


def test_a_directory_that_is_renamed_before_it_could_be_watched_is_watched(watcher: _Watcher, tmp_path: Path) -> None:
    # verifies: FILE-01
    (tmp_path / "draft").mkdir()
    (tmp_path / "draft/inner").mkdir()
    (tmp_path / "draft").rename(tmp_path / "final")
    told = lines(watcher)
    assert told[:2] == ["created draft", "renamed final"]
    assert "created final/inner" in told
    (tmp_path / "final/inner/file").touch()
    assert lines(watcher) == ["created final/inner/file"]


def test_so_is_one_within_a_directory_that_is_renamed(watcher: _Watcher, tmp_path: Path) -> None:
    # verifies: FILE-01
    (tmp_path / "old").mkdir()
    assert lines(watcher) == ["created old"]
    (tmp_path / "old/inner").mkdir()
    (tmp_path / "old").rename(tmp_path / "new")
    assert lines(watcher) == ["created old/inner", "renamed new"]
    (tmp_path / "new/inner/file").touch()
    assert lines(watcher) == ["created new/inner/file"]
