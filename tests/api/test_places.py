from pathlib import Path

import pytest

from api.places import places_of
from engine.ports.world import UnreadableDatabase
from engine.project.geo import Geo
from engine.project.project import Project, Settings


def test_a_project_without_a_database_has_no_places() -> None:
    assert places_of(Project()) is None


def test_a_database_that_cannot_be_read_stops_no_server(tmp_path: Path) -> None:
    places = places_of(Project(settings=Settings(geo=Geo(database=str(tmp_path / "City.mmdb")))))
    assert places is not None
    with pytest.raises(UnreadableDatabase, match="City"):
        places.place("192.0.2.1")
