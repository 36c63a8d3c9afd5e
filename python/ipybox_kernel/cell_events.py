"""What IPython calls before and after each cell."""

from typing import Any

from IPython.core.events import EventManager


class CellEvents(EventManager):
    """An interrupt that comes while a callback runs ends the cell. IPython shows it as an error of the callback, and goes on."""

    @classmethod
    def instead_of(cls, events: EventManager) -> "CellEvents":
        other = cls(events.shell, (), events.print_on_error)
        other.callbacks = events.callbacks
        return other

    def trigger(self, event: str, *args: Any, **kwargs: Any) -> None:
        for function in self.callbacks[event][:]:
            try:
                function(*args, **kwargs)
            except Exception:
                if self.print_on_error:
                    print(f"Error in callback {function} (for {event}), with arguments args {args},kwargs {kwargs}:")
                self.shell.showtraceback()
