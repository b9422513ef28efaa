"""The database of places: a local file in MaxMind's format (MMDB), opened once, and read in memory.

A lookup takes microseconds and no I/O but that of memory-mapped pages, so it needs no thread. A newer file is read by
the next start. Records are read as data: whatever shape one has, a lookup raises nothing but `UnreadableDatabase`.
"""

from ipaddress import ip_address
from math import isfinite
from typing import Any, Final

import maxminddb
from maxminddb import InvalidDatabaseError

from engine.ports.world import UnreadableDatabase
from engine.project.geo import Geo

_LONGEST: Final = 200  # characters of a name or an address


class GeoDatabase:
    """Finds the places of IP addresses. Opening it raises `UnreadableDatabase`."""

    def __init__(self, geo: Geo) -> None:
        self._language = geo.language
        try:
            self._reader = maxminddb.open_database(geo.database)
        except (OSError, ValueError, InvalidDatabaseError) as error:
            raise UnreadableDatabase(f"{geo.database}: {error}") from None

    def place(self, address: str) -> dict[str, Any] | None:
        """Return what is known of an address; None for one that is not in the database, or is none."""
        try:
            parsed = ip_address(address.strip()[:_LONGEST])
            record = self._reader.get(getattr(parsed, "ipv4_mapped", None) or parsed)
        except (InvalidDatabaseError, UnicodeError, KeyError, RecursionError) as error:
            raise UnreadableDatabase(f"the database is damaged: {error}") from None
        except (ValueError, TypeError):
            return None
        return _place(record, self._language) if isinstance(record, dict) else None

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


class BrokenDatabase:
    """Stands in for a database that cannot be opened: each lookup says why."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def place(self, address: str) -> dict[str, Any] | None:
        """Raise `UnreadableDatabase`."""
        raise UnreadableDatabase(self._reason)


def _place(record: dict[str, Any], language: str) -> dict[str, Any]:
    """Return a record as flows see it: what it has, in flat form."""
    country, region = _map(record, "country"), _map(_first(record.get("subdivisions")))
    location = _map(record, "location")
    found = {
        "continent": _text(_map(record, "continent").get("code")),
        "country": _text(country.get("iso_code")),
        "country_name": _name(country, language),
        "region": _text(region.get("iso_code")),
        "region_name": _name(region, language),
        "city": _name(_map(record, "city"), language),
        "postal_code": _text(_map(record, "postal").get("code")),
        "timezone": _text(location.get("time_zone")),
        "latitude": _number(location.get("latitude")),
        "longitude": _number(location.get("longitude")),
        "radius_km": _number(location.get("accuracy_radius")),
    }
    return {name: value for name, value in found.items() if value is not None}


def _map(value: Any, name: str | None = None) -> dict[str, Any]:
    inner = value.get(name) if name is not None else value
    return inner if isinstance(inner, dict) else {}


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else None


def _name(part: dict[str, Any], language: str) -> str | None:
    names = _map(part, "names")
    return _text(names.get(language)) or _text(names.get("en"))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST else None


def _number(value: Any) -> int | float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and isfinite(value) else None
