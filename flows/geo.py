"""`geo:` in headrace.yaml: the database of places."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from engine.problem import KeyPath, Problem
from engine.project.geo import Geo

MISSING = "H440"
_LOOKUP = "geo.lookup"
_NAME_ONE = "name one in headrace.yaml: `geo: {database: GeoLite2-City.mmdb}`"
_COPY = "paths are relative to the project's directory; copy the database there, e.g. GeoLite2-City.mmdb"


class GeoFile(Struct, frozen=True, kw_only=True):
    """Which file is the database of places."""

    database: Annotated[
        str, Meta(description="The file in MaxMind's format, relative to the project, e.g. GeoLite2-City.mmdb")
    ]
    language: Annotated[str, Meta(description="The language of names, e.g. de; en where it has none")] = "en"


def read_geo(file: GeoFile | None, root: Path, problems: list[Problem]) -> Geo | None:
    """The settings of the database; adds a warning if its file does not exist."""
    if file is None:
        return None
    path = root / file.database
    if not path.is_file():
        message = f"there is no file `{file.database}`, so `geo.lookup` leaves by `failed`"
        problems.append(_warning(message, ("geo", "database"), "value", _COPY))
    return Geo(database=str(path), language=file.language)


def places_without_database(nodes: Any, geo: Geo | None, at: KeyPath = ("nodes",)) -> Iterator[Problem]:
    """A warning for each node that looks up a place, also in the body of a loop, where the project has no database."""
    for id, node in nodes.items() if geo is None and isinstance(nodes, Mapping) else ():
        for key, config in node.items() if isinstance(node, Mapping) else ():
            if key == _LOOKUP:
                message = "the project has no database of places, so this leaves by `failed`"
                yield _warning(message, (*at, id, key), "key", _NAME_ONE)
            elif key == "each" and isinstance(config, Mapping):
                yield from places_without_database(config.get("do"), geo, (*at, id, key, "do"))


def _warning(message: str, at: KeyPath, on: Literal["key", "value"], help: str) -> Problem:
    return Problem(code=MISSING, message=message, path=at, on=on, help=help, severity="warning")
