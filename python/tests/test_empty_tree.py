"""Trees that no path reaches the end of are deleted, with few descriptors."""

import os
import resource
import subprocess
import sys
from pathlib import Path

from ipybox_kernel import empty_tree


def _nest(place: Path, depth: int) -> None:
    here = os.open(place, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=here))
    os.close(here)


def test_what_is_deep_and_wide_goes_and_the_directory_stays(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    place = tmp_path / "place"
    place.mkdir()
    _nest(place, 3_000)
    for name in ("0", "1", "2"):
        (place / name / "below").mkdir(parents=True)
        (place / name / "0").touch()
    (place / "link").symlink_to(outside)
    (place / "d" / "link").symlink_to(outside)
    (place / "file").touch()
    empty_tree.empty(str(place))
    assert os.listdir(place) == []
    assert os.listdir(outside) == ["kept"]


def test_few_descriptors_suffice(tmp_path: Path) -> None:
    _nest(tmp_path, 2_000)
    limits = (16, 16)
    subprocess.run(
        [sys.executable, "-I", "-S", empty_tree.__file__, str(tmp_path)],
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits),
    )
    assert os.listdir(tmp_path) == []


def test_two_may_delete_at_a_time(tmp_path: Path) -> None:
    for index in range(20):
        (tmp_path / str(index)).mkdir()
        _nest(tmp_path / str(index), 300)
    command = [sys.executable, "-I", "-S", empty_tree.__file__, str(tmp_path)]
    deleters = [subprocess.Popen(command) for _ in range(2)]
    assert [deleter.wait() for deleter in deleters] == [0, 0]
    assert os.listdir(tmp_path) == []
