"""What a thread prints belongs to the execution that started it, also after that has ended."""

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.thread import ThreadPoolExecutor
from typing import Any

from .channel import current_execution


def inherit_execution() -> None:
    """From here on threads have the execution they were started in, and a pool's that of each call that it is given."""
    start = threading.Thread.start
    bootstrap = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]
    submit = ThreadPoolExecutor.submit

    def start_in_execution(self: threading.Thread) -> None:
        self._ipybox_execution = current_execution.get()  # type: ignore[attr-defined]
        start(self)

    def bootstrap_in_execution(self: threading.Thread) -> None:
        current_execution.set(getattr(self, "_ipybox_execution", 0))
        bootstrap(self)

    @functools.wraps(submit)  # type: ignore[arg-type]
    def submit_in_execution(self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        return submit(self, _call_in, current_execution.get(), fn, *args, **kwargs)

    threading.Thread.start = start_in_execution  # type: ignore[method-assign]
    threading.Thread._bootstrap_inner = bootstrap_in_execution  # type: ignore[attr-defined]
    ThreadPoolExecutor.submit = submit_in_execution  # type: ignore[method-assign, assignment]


def _call_in(execution: int, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    token = current_execution.set(execution)
    try:
        return fn(*args, **kwargs)
    finally:
        current_execution.reset(token)
