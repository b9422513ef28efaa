"""Ids: new ones, which sort by the time of their making."""

import os
import threading
import time

_DIGITS = 15  # random hex digits of one id
_BUFFERED = 512 * _DIGITS // 2  # bytes: one system call makes 512 ids


class _Ids:
    """Draws ids in the layout of UUIDv7: 48 bits of ms, a counter of 12 bits, 60 random bits.

    Time and counter are one number that never falls and never repeats: where the clock stands still, goes back or more
    than 4,096 ids are wanted in one ms, it counts on.
    """

    def __init__(self) -> None:
        self._stamp = 0
        self.begin()

    def begin(self) -> None:
        """Start without random digits at hand: two processes after a fork must not use the same."""
        self._lock = threading.Lock()
        self._digits = ""
        self._used = 0

    def draw(self) -> str:
        with self._lock:
            stamp = (time.time_ns() // 1_000_000) << 12
            if stamp <= self._stamp:
                stamp = self._stamp + 1
            self._stamp = stamp
            start = self._used
            if start == len(self._digits):
                self._digits = os.urandom(_BUFFERED).hex()
                start = 0
            self._used = end = start + _DIGITS
            chance = self._digits[start:end]
        timed = f"{stamp:015x}"
        return f"{timed[:12]}7{timed[12:]}8{chance}"


_IDS = _Ids()
os.register_at_fork(after_in_child=_IDS.begin)


def new_id() -> str:
    """A new id: 32 hex digits, larger than every id drawn before it in this process."""
    return _IDS.draw()
