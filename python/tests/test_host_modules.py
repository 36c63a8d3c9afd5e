"""Modules that are no files: found, loaded, shown, replaced."""

import importlib
import inspect
import linecache
import sys
import traceback
from collections.abc import Iterator

import pytest

from ipybox_kernel.host_modules import HostModules


@pytest.fixture
def modules() -> Iterator[HostModules]:
    modules = HostModules()
    yield modules
    modules.replace({})
    if modules in sys.meta_path:
        sys.meta_path.remove(modules)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tools_of_a_test"]:
        del sys.modules[name]


def test_packages_are_made_by_themselves(modules: HostModules) -> None:
    # verifies: HOST-01
    modules.replace({"tools_of_a_test.one.find": "def run(): return 1\n", "tools_of_a_test.two": "value = 2\n"})
    find = importlib.import_module("tools_of_a_test.one.find")
    assert find.run() == 1
    assert importlib.import_module("tools_of_a_test.two").value == 2
    with pytest.raises(ModuleNotFoundError, match=r"tools_of_a_test\.three"):
        importlib.import_module("tools_of_a_test.three")


def test_their_source_shows_in_inspect_and_in_tracebacks(modules: HostModules) -> None:
    # verifies: HOST-01
    source = "def fail():\n    raise ValueError('a line of its own')\n"
    modules.replace({"tools_of_a_test": source})
    module = importlib.import_module("tools_of_a_test")
    assert inspect.getsource(module) == source
    assert inspect.getsource(module.fail) == source
    with pytest.raises(ValueError, match="of its own") as error:
        module.fail()
    assert "raise ValueError('a line of its own')" in "".join(traceback.format_exception(error.value))


def test_what_is_imported_is_brought_up_to_date(modules: HostModules) -> None:
    # verifies: HOST-01
    modules.replace({"tools_of_a_test": "def one(): return 'old'\ndef gone(): pass\n", "tools_of_a_test.part": "value = 1\n"})
    module = importlib.import_module("tools_of_a_test")
    part = importlib.import_module("tools_of_a_test.part")
    linecache.getlines(module.one.__code__.co_filename, vars(module))
    modules.replace({"tools_of_a_test": "\n\ndef one(): return 'new'\n", "tools_of_a_test.part": "value = 1\n"})
    assert module.one() == "new"
    assert inspect.getsource(module.one) == "def one(): return 'new'\n"
    assert not hasattr(module, "gone")
    assert module.part is part


def test_what_is_taken_away_is_not_found_any_more(modules: HostModules) -> None:
    # verifies: HOST-01
    modules.replace({"tools_of_a_test.one": "", "tools_of_a_test.two": ""})
    package = importlib.import_module("tools_of_a_test.one") and sys.modules["tools_of_a_test"]
    modules.replace({"tools_of_a_test.two": ""})
    assert not hasattr(package, "one")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("tools_of_a_test.one")


def test_a_new_source_that_fails_is_told_by_the_next_import(modules: HostModules) -> None:
    # verifies: HOST-01
    modules.replace({"tools_of_a_test": "x = 1\n"})
    importlib.import_module("tools_of_a_test")
    modules.replace({"tools_of_a_test": "1 / 0\n"})
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("tools_of_a_test")
