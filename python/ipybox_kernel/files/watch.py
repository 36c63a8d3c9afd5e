"""Tells what happens to files."""

import os
import select
import stat
from typing import Any

from . import inotify
from .channel import EVENTS, INFO, Disconnected, FileChannel, to_wire
from .draft import DRAFT_PREFIX
from .inotify import Happened, Inotify
from .operations import path_of

#: Not longer than it takes for a beat to be due.
_BEAT_MS = 2_100
#: The halves of a rename come together; one that comes alone came from elsewhere, or went there.
_OTHER_HALF_MS = 10
_SKIPPED = (FileNotFoundError, NotADirectoryError, PermissionError)

Event = dict[str, Any]


def watch(channel: FileChannel, request: dict[str, Any]) -> dict[str, Any]:
    """Sends events until the SDK lets go, or what is watched is gone."""
    path = path_of(request)
    single = not stat.S_ISDIR(os.stat(path).st_mode)
    # A file is watched by way of its directory: many programs save by putting a new file in its place.
    root, only = os.path.split(path) if single else (path, None)
    watcher = _Watcher(root or b".", only, request["recursive"] and not single)
    try:
        watcher.begin()
        channel.send_json(INFO, {"root": to_wire(root)})
        channel.flush()
        poll = select.poll()
        poll.register(watcher.inotify, select.POLLIN)
        poll.register(channel, select.POLLIN | select.POLLHUP)
        while not watcher.gone:
            ready = [descriptor for descriptor, _ in poll.poll(_BEAT_MS)]
            if channel.fileno() in ready:
                raise Disconnected
            if ready and (events := watcher.events()):
                channel.send_list(EVENTS, events)
                channel.flush()
            else:  # nothing has happened, or nothing that is wanted
                channel.beat()
    finally:
        watcher.inotify.close()
    return {}


class _Watcher:
    """Paths in its events start at the watched directory, which itself is the empty path."""

    def __init__(self, root: bytes, only: bytes | None, recursive: bool) -> None:
        self.inotify = Inotify()
        self.gone = False
        self._root = root
        self._only = only
        self._recursive = recursive
        self._paths: dict[int, bytes] = {}
        #: The first half of a rename: cookie, path, whether it is a directory.
        self._moved: tuple[int, bytes, bool] | None = None
        #: What was found in new directories: told already, should it be told of again.
        self._found: set[bytes] = set()
        #: New directories that were gone before they could be watched: a rename that is still to be read may tell where to.
        self._missed: set[bytes] = set()

    def begin(self) -> None:
        self._paths[self.inotify.add(self._root, True)] = b""
        if self._recursive:
            self._watch_below(b"", [])
            self._found.clear()

    def events(self) -> list[Event]:
        events: list[Event] = []
        for happened in self.inotify.read():
            self._take(happened, events)
        if self._moved is not None:
            self._await_other_half(events)
        if not select.select([self.inotify], [], [], 0)[0]:
            self._found.clear()
            self._missed.clear()
        return [event for event in events if self._is_wanted(event)]

    def _await_other_half(self, events: list[Event]) -> None:
        poll = select.poll()
        poll.register(self.inotify, select.POLLIN)
        if poll.poll(_OTHER_HALF_MS):
            for happened in self.inotify.read():
                self._take(happened, events)
        self._settle_move(events)

    def _take(self, happened: Happened, events: list[Event]) -> None:
        if happened.mask & inotify.OVERFLOW:
            _tell(events, "overflow", b"")
            self._found.clear()
            if self._recursive:
                self._watch_below(b"", [])  # directories that are new, too
            return
        other_half = self._moved is not None and happened.mask & inotify.MOVED_TO and happened.cookie == self._moved[0]
        if not other_half:
            self._settle_move(events)
        prefix = self._paths.get(happened.watch)
        if prefix is None:
            return  # of a directory that has gone elsewhere
        if happened.mask & (inotify.IGNORED | inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.UNMOUNT):
            self._lose(happened, prefix, events)
            return
        path = prefix + happened.name
        directory = bool(happened.mask & inotify.IS_DIRECTORY)
        if happened.mask & inotify.MOVED_FROM:
            self._moved = (happened.cookie, path, directory)
        elif other_half:
            self._rename(path, directory, events)
        elif happened.mask & (inotify.CREATE | inotify.MOVED_TO):
            if path not in self._found:
                _tell(events, "created", path)
            if directory and self._recursive:
                self._watch(path + b"/", events)
        elif happened.mask & inotify.DELETE:
            self._found.discard(path)
            _tell(events, "removed", path)
        elif happened.mask & inotify.MODIFY and not self._is_unnamed(happened.name, path):
            _tell(events, "changed", path)

    def _lose(self, happened: Happened, prefix: bytes, events: list[Event]) -> None:
        if prefix == b"":
            self.gone = True
            if happened.mask & (inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.UNMOUNT):
                _tell(events, "removed", b"")
        elif happened.mask & inotify.IGNORED:
            del self._paths[happened.watch]

    def _rename(self, path: bytes, directory: bool, events: list[Event]) -> None:
        assert self._moved is not None
        _, source, _ = self._moved
        self._moved = None
        if os.path.basename(source).startswith(DRAFT_PREFIX):
            _tell(events, "changed", path)  # a draft has taken the place of a file
            return
        _tell(events, "renamed", path, source)
        if directory:
            old, new = source + b"/", path + b"/"
            moved = {number: new + known[len(old) :] for number, known in self._paths.items() if known.startswith(old)}
            self._paths.update(moved)
            for missed in [known for known in self._missed if known.startswith(old)]:
                self._missed.discard(missed)
                self._watch(new + missed[len(old) :], events)

    def _settle_move(self, events: list[Event]) -> None:
        """What has gone elsewhere, if anything has."""
        if self._moved is None:
            return
        _, source, directory = self._moved
        self._moved = None
        _tell(events, "removed", source)
        if directory:
            for number in [number for number, known in self._paths.items() if known.startswith(source + b"/")]:
                self.inotify.remove(number)
                del self._paths[number]

    def _watch(self, prefix: bytes, events: list[Event]) -> None:
        try:
            self._paths[self.inotify.add(self._root + b"/" + prefix, False)] = prefix
        except _SKIPPED:
            self._missed.add(prefix)
            return
        self._watch_below(prefix, events)

    def _watch_below(self, prefix: bytes, events: list[Event]) -> None:
        """Watches what is in a directory that is watched already, and tells of it: some of it may be older than the watch."""
        waiting = [prefix]
        while waiting:
            prefix = waiting.pop()
            for name, directory in _list(self._root + b"/" + prefix):
                path = prefix + name
                if path not in self._found:
                    self._found.add(path)
                    _tell(events, "created", path)
                if not directory:
                    continue
                try:
                    self._paths[self.inotify.add(self._root + b"/" + path, False)] = path + b"/"
                except _SKIPPED:
                    self._missed.add(path + b"/")
                    continue
                waiting.append(path + b"/")

    def _is_unnamed(self, name: bytes, path: bytes) -> bool:
        """Whether it is a file without a name, which Linux calls `#` and its number."""
        return name.startswith(b"#") and name[1:].isdigit() and not os.path.lexists(os.path.join(self._root, path))

    def _is_wanted(self, event: Event) -> bool:
        """Not of drafts, and not of neighbours when a single file is watched."""
        ends = [path for path in (event.pop("bytes"), event.pop("source", None)) if path is not None]
        if event["type"] == "overflow" or ends == [b""]:
            return True
        ends = [path for path in ends if not os.path.basename(path).startswith(DRAFT_PREFIX)]
        return bool(ends) and (self._only is None or self._only in ends)


def _tell(events: list[Event], kind: str, path: bytes, source: bytes | None = None) -> None:
    if kind == "changed" and events and events[-1]["type"] == kind and events[-1]["bytes"] == path:
        return
    event: Event = {"type": kind, "path": to_wire(path), "bytes": path}
    if source is not None:
        event |= {"from": to_wire(source), "source": source}
    events.append(event)


def _list(path: bytes) -> list[tuple[bytes, bool]]:
    try:
        with os.scandir(path) as entries:
            return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    except _SKIPPED:
        return []
