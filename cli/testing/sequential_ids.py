"""Ids in sequence, so that a flow test has the same ids in every run."""


class SequentialIds:
    """Returns ids in the form of real ones: 1, 2, 3, ... as 32 hex digits."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self) -> str:
        """Return the next id."""
        self._last += 1
        return f"{self._last:032x}"
