"""File workers: frames, drafts that leave nothing, trees that can't lead out, events."""

import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipybox_kernel.files import channel as wire
from ipybox_kernel.files import draft as drafts
from ipybox_kernel.files.channel import FileChannel
from ipybox_kernel.files.draft import DRAFT_PREFIX, Draft
from ipybox_kernel.files.process import serve
from ipybox_kernel.files.watch import _Watcher


class Sdk:
    """The other end of a worker, which runs in a thread."""

    def __init__(self) -> None:
        self.sock, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(10)
        self._far = far
        self._reader = self.sock.makefile("rb")
        self._thread = threading.Thread(target=serve, args=(FileChannel(far.fileno()),))
        self._thread.start()
        assert self.receive() == (wire.BEAT, b"")

    def send(self, kind: int, payload: bytes = b"") -> None:
        self.sock.sendall(wire.HEADER.pack(len(payload), kind) + payload)

    def ask(self, op: str, path: bytes, **options: object) -> None:
        self.send(wire.REQUEST, json.dumps({"op": op, "path": wire.to_wire(path), **options}).encode())

    def entry(self, **entry: object) -> None:
        self.send(wire.ENTRY, json.dumps(entry).encode())

    def receive(self) -> tuple[int, bytes]:
        header = self._reader.read(wire.HEADER.size)
        if not header:
            return 0, b""
        length, kind = wire.HEADER.unpack(header)
        return kind, self._reader.read(length)

    def reply(self) -> tuple[int, dict]:
        """The end of an operation, behind all else."""
        while (received := self.receive())[0] not in (wire.REPLY, wire.ERROR):
            assert received[0] != 0
        return received[0], json.loads(received[1])

    def close(self) -> None:
        self.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        assert not self._thread.is_alive()
        self._reader.close()
        self.sock.close()
        self._far.close()


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    sdk = Sdk()
    yield sdk
    sdk.close()


def test_paths_of_any_bytes_come_back(sdk: Sdk, tmp_path: Path) -> None:
    # verifies: FILE-01
    every = bytes(byte for byte in range(1, 256) if byte != ord("/"))
    assert wire.from_wire(wire.to_wire(every)) == every
    root = os.fsencode(tmp_path)
    Path(os.fsdecode(root + b"/" + every[:200])).write_bytes(b"x")
    sdk.ask("list", root, recursive=False)
    kind, payload = sdk.receive()
    assert kind == wire.ENTRIES
    (entry,) = json.loads(payload)
    assert wire.from_wire(entry["path"]) == every[:200]
    assert sdk.reply() == (wire.REPLY, {})


def test_an_upload_that_fails_is_read_to_its_end_and_the_next_request_is_answered(sdk: Sdk, tmp_path: Path) -> None:
    # verifies: FILE-02
    root = os.fsencode(tmp_path)
    sdk.ask("write", root)
    sdk.send(wire.DATA, b"x" * 100_000)
    sdk.send(wire.END)
    sdk.send(wire.DONE)
    kind, error = sdk.reply()
    assert (kind, error["code"], error["path"]) == (wire.ERROR, "EISDIR", wire.to_wire(root))
    sdk.ask("stat", root, follow=True)
    kind, info = sdk.reply()
    assert (kind, info["type"]) == (wire.REPLY, "directory")


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "/etc", "a\0"])
def test_an_entry_whose_name_is_a_path_ends_the_worker(tmp_path: Path, name: str) -> None:
    # verifies: FILE-03
    sdk = Sdk()
    sdk.ask("unpack", os.fsencode(tmp_path / "root"))
    sdk.entry(type="file", name=name, mode=0o644, size=0)
    sdk.send(wire.END)
    sdk.close()
    assert os.listdir(tmp_path / "root") == []
    assert os.listdir(tmp_path) == ["root"]


def test_a_tree_does_not_go_through_a_link(sdk: Sdk, tmp_path: Path) -> None:
    # verifies: FILE-03
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "dir").symlink_to(outside)
    sdk.ask("unpack", os.fsencode(root))
    sdk.entry(type="directory", name="dir", mode=0o755)
    sdk.entry(type="file", name="x", mode=0o644, size=0)
    sdk.send(wire.END)
    sdk.entry(type="leave")
    sdk.send(wire.DONE)
    kind, error = sdk.reply()
    assert (kind, error["code"]) == (wire.ERROR, "ENOTDIR")
    assert list(outside.iterdir()) == []


def test_a_connection_that_ends_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    # verifies: FILE-02
    for frame in (wire.DATA, wire.ENTRY, 99):
        sdk = Sdk()
        sdk.ask("write", os.fsencode(tmp_path / "file"))
        sdk.send(wire.DATA, b"x")
        sdk.send(frame, b"{")
        sdk.close()
        assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("unnamed", [True, False])
def test_a_draft_has_its_name_when_it_is_published_and_no_other_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unnamed: bool
) -> None:
    # verifies: FILE-02
    if not unnamed:
        monkeypatch.setattr(drafts, "_UNNAMED", 0)
    directory = os.open(tmp_path, os.O_RDONLY)
    (tmp_path / "old").write_text("old")
    (tmp_path / "link").symlink_to("old")
    try:
        for name in (b"new", b"old", b"link"):
            with Draft(directory, name) as draft:
                os.write(draft.descriptor, b"content")
                assert (name == b"new") != os.path.lexists(tmp_path / os.fsdecode(name))
                draft.publish(0o640)
        with Draft(directory, b"given up") as draft:
            os.write(draft.descriptor, b"content")
        (tmp_path / "dir").mkdir()
        with pytest.raises(IsADirectoryError), Draft(directory, b"dir") as draft:
            draft.publish(0o640)
    finally:
        os.close(directory)
    assert sorted(os.listdir(tmp_path)) == ["dir", "link", "new", "old"]
    for file in ("new", "old", "link"):
        status = os.lstat(tmp_path / file)
        assert stat.S_ISREG(status.st_mode)
        assert stat.S_IMODE(status.st_mode) == 0o640
        assert (tmp_path / file).read_text() == "content"


def events_of(watcher: _Watcher) -> list[tuple]:
    return [tuple(event.values()) for event in watcher.events()]


def test_a_watch_tells_of_no_draft(tmp_path: Path) -> None:
    # verifies: FILE-01
    watcher = _Watcher(os.fsencode(tmp_path), None, False)
    watcher.begin()
    directory = os.open(tmp_path, os.O_RDONLY)
    for _ in range(2):
        with Draft(directory, b"file") as draft:
            os.write(draft.descriptor, b"x")
            draft.publish(0o644)
    (tmp_path / os.fsdecode(DRAFT_PREFIX + b"own")).write_text("x")
    os.close(directory)
    assert events_of(watcher) == [("created", "file"), ("changed", "file")]
    watcher.inotify.close()


def test_a_watch_tells_each_new_file_in_new_directories_once(tmp_path: Path) -> None:
    # verifies: FILE-01
    watcher = _Watcher(os.fsencode(tmp_path), None, True)
    watcher.begin()
    os.makedirs(tmp_path / "a/b")
    (tmp_path / "a/b/c").touch()
    assert sorted(events_of(watcher)) == [("created", "a"), ("created", "a/b"), ("created", "a/b/c")]
    assert events_of(watcher) == []
    (tmp_path / "a/b/c").unlink()
    (tmp_path / "a/b/c").touch()
    assert events_of(watcher) == [("removed", "a/b/c"), ("created", "a/b/c")]
    os.rename(tmp_path / "a", tmp_path / "z")
    (tmp_path / "z/b/d").touch()
    assert events_of(watcher) == [("renamed", "z", "a"), ("created", "z/b/d")]
    watcher.inotify.close()


def test_content_that_can_not_be_stored_is_never_read_as_a_frame() -> None:
    # verifies: FILE-01
    request = json.dumps({"op": "remove", "path": "/app"}).encode()
    frame = wire.HEADER.pack(len(request), wire.REQUEST) + request
    # Whatever the position at which the disk is full: ends of the upload, and then a request.
    content = (wire.HEADER.pack(0, wire.DONE) + frame) * 8_000
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    sender = threading.Thread(
        target=lambda: near.sendall(
            wire.HEADER.pack(len(content), wire.DATA)
            + content
            + wire.HEADER.pack(0, wire.END)
            + wire.HEADER.pack(0, wire.DONE)
            + wire.HEADER.pack(2, wire.REQUEST)
            + b"{}"
        )
    )
    sender.start()
    channel = FileChannel(far.fileno())
    channel.uploading = True
    full = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError, match="No space"):
        channel.store(full)
    channel.skip_upload()
    assert channel.request() == {}
    sender.join()
    os.close(full)
    near.close()
    far.close()


def test_a_watch_that_sees_only_what_nobody_wants_gives_signs_of_life(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # verifies: FILE-01
    monkeypatch.setattr(wire, "_BEAT_S", 0.05)
    (tmp_path / "wanted").touch()
    sdk = Sdk()
    sdk.ask("watch", os.fsencode(tmp_path / "wanted"), recursive=False)
    assert sdk.receive()[0] == wire.INFO
    stopped = threading.Event()

    def log() -> None:
        while not stopped.wait(0.01):
            (tmp_path / "log").write_text("line")

    writer = threading.Thread(target=log)
    writer.start()
    try:
        assert [sdk.receive()[0] for _ in range(3)] == [wire.BEAT] * 3
    finally:
        stopped.set()
        writer.join()
        sdk.close()
