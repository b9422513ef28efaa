"""The places of a flow test: a case says what is known of an address, and reads no database."""

from collections.abc import Mapping
from typing import Any


class GivenPlaces:
    """The `Places` of a case."""

    def __init__(self, places: Mapping[str, dict[str, Any]]) -> None:
        self._places = places

    def place(self, address: str) -> dict[str, Any] | None:
        """Return the place that the case has for an address, or None."""
        return self._places.get(address)
