"""The event loop of ``%%bash`` and its kin: IPython runs it in a thread, which no fork has, and keeps it from then on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from IPython.core.magics.script import ScriptMagics


class ScriptLoop:
    """Gives each script a loop that runs, and leaves no thread behind unless a program goes on in the background."""

    _pid = 0
    _is_kept = False

    @contextmanager
    def lent_to(self, scripts: ScriptMagics) -> Iterator[None]:
        if self._pid != os.getpid():
            self._pid, self._is_kept = os.getpid(), False
            _forget(scripts)
        try:
            yield
        finally:
            self._is_kept = self._is_kept or len(scripts.bg_processes) > 0
            if not self._is_kept:
                scripts.stop_event_loop()


def _forget(scripts: ScriptMagics) -> None:
    """Lets go of the loop of the process that this one is a fork of; to stop it would wait for its thread."""
    scripts.event_loop = None
    if scripts._event_loop_finalizer is not None:
        scripts._event_loop_finalizer.detach()
        scripts._event_loop_finalizer = None
