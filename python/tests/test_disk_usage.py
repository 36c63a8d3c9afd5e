"""What is counted as written, in a directory of the test's own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ipybox_kernel import disk_usage
from ipybox_kernel.disk_usage import Usage

KIB = 1024


@pytest.fixture
def usage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Usage:
    usage = Usage(time.time() - 3600, 1 << 40, 60)
    monkeypatch.setattr(usage, "_device", os.lstat(tmp_path).st_dev)
    return usage


def test_files_count_what_they_take_and_at_least_a_block(usage: Usage, tmp_path: Path) -> None:
    # verifies: SEC-03
    (tmp_path / "empty").touch()
    (tmp_path / "large").write_bytes(os.urandom(300 * KIB))
    (tmp_path / "link").symlink_to("/etc")
    usage.walk(str(tmp_path))
    assert usage.complete
    assert 300 * KIB + 3 * 4 * KIB <= usage.bytes <= 320 * KIB + 3 * 4 * KIB


def test_a_file_with_two_names_counts_once(usage: Usage, tmp_path: Path) -> None:
    # verifies: SEC-03
    (tmp_path / "one").write_bytes(os.urandom(100 * KIB))
    os.link(tmp_path / "one", tmp_path / "two")
    usage.walk(str(tmp_path))
    assert 100 * KIB < usage.bytes < 150 * KIB


def test_a_hole_takes_no_room(usage: Usage, tmp_path: Path) -> None:
    # verifies: SEC-03
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 30)
    usage.walk(str(tmp_path))
    assert usage.bytes < 100 * KIB


def test_what_was_there_before_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # verifies: SEC-03
    (tmp_path / "old").write_bytes(os.urandom(100 * KIB))
    usage = Usage(time.time() + 3600, 1 << 40, 60)
    monkeypatch.setattr(usage, "_device", os.lstat(tmp_path).st_dev)
    usage.walk(str(tmp_path))
    assert usage.bytes == 0


def test_a_closed_directory_is_looked_into_and_stays_closed(usage: Usage, tmp_path: Path) -> None:
    # verifies: SEC-03
    for mode in (0o000, 0o300, 0o600):
        directory = tmp_path / f"{mode:o}"
        directory.mkdir()
        (directory / "hidden").write_bytes(os.urandom(100 * KIB))
        directory.chmod(mode)
    usage.walk(str(tmp_path))
    assert usage.bytes > 300 * KIB
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("0", "300", "600")] == [0o000, 0o300, 0o600]
    for name in ("0", "300", "600"):
        (tmp_path / name).chmod(0o700)


def test_directories_deeper_than_any_path_are_counted_and_cut(
    usage: Usage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # verifies: SEC-03
    monkeypatch.setattr(disk_usage, "_MAX_DEPTH", 50)
    monkeypatch.chdir(tmp_path)
    for _ in range(230):
        os.mkdir("d")
        os.chdir("d")
    usage.walk(str(tmp_path))
    assert usage.bytes >= 230 * 4 * KIB
    depths = [root.count("/d") for root, _, _ in os.walk(tmp_path)]
    assert max(depths) <= 50
    assert len(depths) == 231


def test_it_ends_when_enough_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # verifies: SEC-03
    for number in range(100):
        (tmp_path / str(number)).write_bytes(os.urandom(10 * KIB))
    usage = Usage(time.time() - 3600, 200 * KIB, 60)
    monkeypatch.setattr(usage, "_device", os.lstat(tmp_path).st_dev)
    usage.walk(str(tmp_path))
    assert not usage.complete
    assert 200 * KIB <= usage.bytes < 300 * KIB


def test_an_open_file_without_a_name_counts(usage: Usage, tmp_path: Path) -> None:
    # verifies: SEC-03
    with open(tmp_path / "gone", "wb") as file:
        file.write(os.urandom(100 * KIB))
        file.flush()
        os.remove(tmp_path / "gone")
        disk_usage.look_for_deleted(usage, 60)
    assert usage.bytes >= 100 * KIB
    assert not usage.leaves_out


def test_more_descriptors_than_can_be_looked_at_in_time_are_told(usage: Usage) -> None:
    # verifies: SEC-03
    disk_usage.look_for_deleted(usage, 0)
    assert usage.leaves_out


def test_what_a_session_has_written_counts_whatever_its_processes_are_called() -> None:
    # verifies: SEC-03
    code = "import sys, time; open('/proc/self/comm', 'wb').write(b'\\xff) \\xfe'); print('named', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"named\n"
        try:
            assert os.getsid(0) in disk_usage.bytes_written()
        finally:
            process.kill()
