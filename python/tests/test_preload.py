"""Packages that are preloaded, and the notice that they have changed."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from ipybox_kernel.preload import Preload


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a package and a module, which no other test imports."""
    (tmp_path / "probe_package").mkdir()
    (tmp_path / "probe_package/__init__.py").write_text("from . import part\nversion = 1\n")
    (tmp_path / "probe_package/part.py").write_text("x = 1\n")
    (tmp_path / "probe_module.py").write_text("import json\n")
    for name in [name for name in sys.modules if name.startswith("probe_")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


def test_modules_are_imported_and_the_path_is_as_it_was(packages: Path) -> None:
    # verifies: IMG-06
    path = list(sys.path)
    preload = Preload(["probe_package", "probe_module"], str(packages))
    assert {"probe_package", "probe_package.part", "probe_module"} <= set(sys.modules)
    assert sys.path == path
    assert not preload.stale


@pytest.mark.parametrize("change", ["replaced", "rewritten", "removed"])
@pytest.mark.parametrize("file", ["probe_package/__init__.py", "probe_module.py"])
def test_a_package_that_has_changed_is_noticed(packages: Path, change: str, file: str) -> None:
    # verifies: IMG-06
    preload = Preload(["probe_package", "probe_module"], str(packages))
    path = packages / file
    if change == "replaced":  # as pip does: another file of the same name
        status = path.stat()
        other = packages / "other.py"
        other.write_text(path.read_text())
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        other.rename(path)
    elif change == "rewritten":
        path.write_text("version = 2\n")
    else:
        path.unlink()
    assert preload.stale


def test_a_whole_package_that_is_gone_is_noticed(packages: Path) -> None:
    # verifies: IMG-06
    preload = Preload(["probe_package"], str(packages))
    shutil.rmtree(packages / "probe_package")
    assert preload.stale


def test_packages_that_were_not_preloaded_may_change(packages: Path) -> None:
    preload = Preload(["probe_package"], str(packages))
    (packages / "probe_module.py").write_text("version = 2\n")
    (packages / "new.py").write_text("")
    assert not preload.stale


def test_a_module_that_is_not_there_is_an_error_and_the_path_is_as_it_was(packages: Path) -> None:
    path = list(sys.path)
    with pytest.raises(ModuleNotFoundError, match="probe_nothing"):
        Preload(["probe_nothing"], str(packages))
    assert sys.path == path
