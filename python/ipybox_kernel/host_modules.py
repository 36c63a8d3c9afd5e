"""Modules whose source the program sends that runs this kernel: ``host``, and packages of tools. None of them is a file."""

import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import sys
from types import ModuleType
from typing import Any

#: No file is there. Absolute, so that none in the working directory is taken for it.
_ROOT = "/ipybox-host"


class HostModules(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and loads modules by their source, which `inspect` and tracebacks can show."""

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}
        self._packages: set[str] = set()

    def replace(self, sources: dict[str, str]) -> None:
        """From now on there are these modules, and no others. What is imported already is brought up to date."""
        before, self._sources = self._sources, dict(sources)
        self._packages = {parent for name in sources for parent in _parents(name)}
        if sources and self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        # Modules before what is in them: it is bound to a name in its package.
        for name in sorted({*before, *sources}):
            if before.get(name) != sources.get(name):
                self._update(name)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._sources and fullname not in self._packages:
            return None
        is_package = self.is_package(fullname)
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=self._file(fullname), is_package=is_package)
        spec.has_location = True
        return spec

    def is_package(self, fullname: str) -> bool:
        return fullname in self._packages

    def get_source(self, fullname: str) -> str:
        return self._sources.get(fullname, "")

    def get_code(self, fullname: str) -> Any:
        return self.source_to_code(self.get_source(fullname), self._file(fullname))

    def exec_module(self, module: ModuleType) -> None:
        exec(self.get_code(module.__name__), module.__dict__)

    def _file(self, fullname: str) -> str:
        path = fullname.replace(".", "/")
        return f"{_ROOT}/{path}/__init__.py" if self.is_package(fullname) else f"{_ROOT}/{path}.py"

    def _update(self, name: str) -> None:
        for file in (f"{_ROOT}/{name.replace('.', '/')}/__init__.py", f"{_ROOT}/{name.replace('.', '/')}.py"):
            linecache.cache.pop(file, None)
        module = sys.modules.get(name)
        if module is None or getattr(module.__spec__, "loader", None) is not self:
            return
        if name not in self._sources and name not in self._packages:
            self._drop(name)  # what was taken from it goes on, and can tell that it is not exposed any more
            return
        parts = {attribute: value for attribute, value in vars(module).items() if isinstance(value, ModuleType)}
        for attribute in [attribute for attribute in vars(module) if not attribute.startswith("__")]:
            del module.__dict__[attribute]
        for attribute, value in parts.items():
            if value.__name__ == f"{name}.{attribute}":
                setattr(module, attribute, value)
        try:
            exec(self.get_code(name), module.__dict__)
        except BaseException:  # the next import tells why
            self._drop(name)

    def _drop(self, name: str) -> None:
        sys.modules.pop(name, None)
        package, _, last = name.rpartition(".")
        if package in sys.modules:
            vars(sys.modules[package]).pop(last, None)


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]
