"""New ids, which sort by the time at which they were made."""

import os
import threading
import time

_DIGITS = 15  # random hex digits of one id
_BUFFER = 512 * _DIGITS // 2  # bytes; one system call provides the random digits of 512 ids


class _IdGenerator:
    """Generates ids in the layout of UUIDv7: 48 bits of ms, a counter of 12 bits, 60 random bits.

    Time and counter form one number that grows with every id, also when the clock does not advance, is set back, or
    more than 4,096 ids are needed in one ms.
    """

    def __init__(self) -> None:
        self._stamp = 0
        self.reset()

    def reset(self) -> None:
        """Drop the buffered random digits: after a fork, both processes must not use the same ones."""
        self._lock = threading.Lock()
        self._digits = ""
        self._used = 0

    def next_id(self) -> str:
        with self._lock:
            stamp = (time.time_ns() // 1_000_000) << 12
            if stamp <= self._stamp:
                stamp = self._stamp + 1
            self._stamp = stamp
            start = self._used
            if start == len(self._digits):
                self._digits = os.urandom(_BUFFER).hex()
                start = 0
            self._used = end = start + _DIGITS
            random_digits = self._digits[start:end]
        time_and_counter = f"{stamp:015x}"
        return f"{time_and_counter[:12]}7{time_and_counter[12:]}8{random_digits}"


_GENERATOR = _IdGenerator()
os.register_at_fork(after_in_child=_GENERATOR.reset)


def new_id() -> str:
    """Return a new id: 32 hex digits, larger than every earlier id of this process."""
    return _GENERATOR.next_id()
