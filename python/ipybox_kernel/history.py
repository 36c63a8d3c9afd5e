"""A kernel's history: what was run in it. Nothing is kept for other kernels, so there is no database."""

import fnmatch
from collections import deque
from collections.abc import Iterable
from typing import Any

from IPython.core.history import HistoryManager

#: Session, number of the cell, its code (and value).
_Entry = tuple[int, int, Any]


class SessionHistory(HistoryManager):
    """Answers from memory what IPython asks its database: the last cells, and those that match."""

    #: Traits of IPython's that nobody observes, and each cell reads or sets.
    _i = _ii = _iii = _i00 = ""
    input_hist_parsed: list[str] = None  # type: ignore[assignment]
    input_hist_raw: list[str] = None  # type: ignore[assignment]
    output_hist_reprs: dict[int, str] = None  # type: ignore[assignment]
    exceptions: dict[int, dict[str, Any]] = None  # type: ignore[assignment]

    def __init__(self, *args: Any, **options: Any) -> None:
        self.input_hist_parsed, self.input_hist_raw = [""], [""]  # so that the first cell is number 1
        self.output_hist_reprs, self.exceptions = {}, {}
        super().__init__(*args, **options)

    def store_inputs(self, line_num: int, source: str, source_raw: str | None = None) -> None:
        """``In``, ``_i`` and their kin, as IPython has them."""
        raw = (source if source_raw is None else source_raw).rstrip("\n")
        if self._exit_re.match(raw.strip()):
            return
        self.input_hist_parsed.append(source.rstrip("\n"))
        self.input_hist_raw.append(raw)
        self._iii, self._ii, self._i, self._i00 = self._ii, self._i, self._i00, raw
        names = {"_i": self._i, "_ii": self._ii, "_iii": self._iii, f"_i{line_num}": raw}
        self.shell.push(names, interactive=False)

    def store_output(self, line_num: int) -> None:
        """What `Out` has forgotten is forgotten here, too: a kernel may run cells for weeks."""
        old = line_num - self.shell.cache_size
        for kept in self._kept:
            kept.pop(old, None)

    def forget_outputs(self) -> None:
        """What `reset()` leaves."""
        for kept in self._kept:
            kept.clear()

    @property
    def _kept(self) -> tuple[dict, ...]:
        return self.outputs, self.output_hist_reprs, self.exceptions

    def get_tail(
        self, n: int | None = 10, raw: bool = True, output: bool = False, include_latest: bool = False
    ) -> Iterable[_Entry]:
        entries = list(self.get_range(0, raw=raw, output=output))
        if not include_latest:
            del entries[-1:]
        return entries[-(10 if n is None else n) :]

    def search(
        self,
        pattern: str = "*",
        raw: bool = True,
        search_raw: bool = True,
        output: bool = False,
        n: int | None = None,
        unique: bool = False,
    ) -> Iterable[_Entry]:
        sources = self.input_hist_raw if search_raw else self.input_hist_parsed
        found: dict[Any, _Entry] = {}
        for entry in self.get_range(0, raw=raw, output=output):
            source = sources[entry[1]]
            if fnmatch.fnmatchcase(source, pattern):
                key = source if unique else entry[1]
                found.pop(key, None)
                found[key] = entry
        return deque(found.values(), maxlen=n)


#: As `%config` lists it.
SessionHistory.__name__ = HistoryManager.__name__
