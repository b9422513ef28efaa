"""The value of a missing path, and the errors of values that a node cannot use."""

from typing import Final


class Absence:
    """The type of `ABSENT`. False, and equal to nothing but itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "absent"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:  # copying and unpickling return the one instance
        return "ABSENT"


ABSENT: Final = Absence()


class Unusable(Exception):
    """A value that a node cannot use: the node leaves by `failed`, with this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Absent(Unusable):
    """A required value is absent or null. `path` is the path or expression, as the author would write it."""

    def __init__(self, path: str, state: str = "absent") -> None:
        super().__init__(f"`{path}` is {state}")
        self.path = path


class Unfit(Unusable):
    """A value of the wrong kind, or too large."""
