"""The database of places of a server."""

import structlog

from effects.geo_database import BrokenDatabase, GeoDatabase
from engine.ports.world import Places, UnreadableDatabase
from engine.project.project import Project

log = structlog.get_logger("headrace")


def places_of(project: Project) -> Places | None:
    """Open the database of places; None where the project has none. One that cannot be read is logged."""
    geo = project.settings.geo
    if geo is None:
        return None
    try:
        return GeoDatabase(geo)
    except UnreadableDatabase as error:
        log.error("the database of places cannot be read", reason=str(error))
        return BrokenDatabase(str(error))
