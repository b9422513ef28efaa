"""A store that dies at some write, and slots without a bound."""

from typing import Any


class Died(Exception):
    """The process has died."""


class DyingStore:
    """Delegates to a store. After so many writes, it raises `Died` at each: before the write, or once it is done."""

    def __init__(self, store: Any, writes: int) -> None:
        self._store = store
        self._left = writes // 2
        self._written = bool(writes % 2)

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._store, name)
        if name not in ("commit", "replace_note", "reject"):
            return member

        async def write(*args: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left < 0 and not (self._left == -1 and self._written):
                raise Died
            result = await member(*args, **named)
            if self._left < 0:
                raise Died
            return result

        return write


class Unbounded:
    """Slots for all that are wanted."""

    def take_slots(self, wanted: int) -> int:
        return wanted

    def return_slots(self, count: int) -> None:
        pass
