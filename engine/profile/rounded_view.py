"""A view in which some sums are shown rounded, because no float has their digits."""

from typing import Any

from engine.profile.document import Path

Sums = dict[Path, str]


class RoundedView(dict[str, Any]):
    """A view that also has the exact decimals of the sums that it shows rounded, by path.

    Further increments are added to these. JSON and the author's expressions see the rounded numbers only.
    """

    __slots__ = ("sums",)

    def __init__(self, view: dict[str, Any], sums: Sums) -> None:
        super().__init__(view)
        self.sums = sums

    def copy(self) -> "RoundedView":
        """Return a copy that still has the exact sums."""
        return RoundedView(self, self.sums)


def with_sums(view: dict[str, Any], sums: Sums) -> dict[str, Any]:
    """Return a view with the exact decimals of the sums that it shows rounded."""
    return RoundedView(view, sums) if sums else dict(view)


def sums_of(view: dict[str, Any]) -> Sums:
    """Return the exact decimals of the sums that a view shows rounded, by path."""
    return view.sums if isinstance(view, RoundedView) else {}
