import ipaddress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from effects.geo_database import BrokenDatabase, GeoDatabase
from engine.ports.world import UnreadableDatabase
from engine.project.geo import Geo

BERLIN = {
    "continent": {"code": "EU"},
    "country": {"iso_code": "DE", "names": {"en": "Germany", "de": "Deutschland"}},
    "subdivisions": [{"iso_code": "BE", "names": {"en": "State of Berlin"}}],
    "city": {"names": {"en": "Berlin"}},
    "postal": {"code": "10115"},
    "location": {"latitude": 52.5, "longitude": 13.4, "accuracy_radius": 20, "time_zone": "Europe/Berlin"},
}


def written(path: Path, records: dict[str, Any]) -> Path:
    """A database with these records by network."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    odd = {"country": "DE", "city": {"names": ["Berlin"]}, "subdivisions": {}, "location": {"latitude": "north"}}
    records = {"192.0.2.0/24": BERLIN, "2001:db8::/32": BERLIN, "198.51.100.0/24": odd, "203.0.113.0/24": "text"}
    return written(tmp_path_factory.mktemp("geo") / "City.mmdb", records)


@pytest.fixture
def database(file: Path) -> Any:
    opened = GeoDatabase(Geo(database=str(file), language="de"))
    yield opened
    opened.close()


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"])
def test_an_address_has_the_place_of_its_network(database: GeoDatabase, address: str) -> None:
    assert database.place(address) == {
        "continent": "EU", "country": "DE", "country_name": "Deutschland", "region": "BE",
        "region_name": "State of Berlin", "city": "Berlin", "postal_code": "10115", "timezone": "Europe/Berlin",
        "latitude": 52.5, "longitude": 13.4, "radius_km": 20,
    }  # fmt: skip


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "", "x", "192.0.2", "192.0.2.1:80", "9" * 1000, "\ud800"])
def test_what_the_database_does_not_have_has_no_place(database: GeoDatabase, address: str) -> None:
    assert database.place(address) is None


def test_a_record_of_another_shape_is_read_as_far_as_it_goes(database: GeoDatabase) -> None:
    assert database.place("198.51.100.1") == {}
    assert database.place("203.0.113.1") is None


@given(st.text(st.characters(), max_size=40) | st.ip_addresses().map(str))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_has_a_place_or_none(database: GeoDatabase, address: str) -> None:
    place = database.place(address)
    assert place is None or ipaddress.ip_address(address.strip())


@pytest.mark.parametrize("content", [None, b"", b"no database" * 1000])
def test_a_file_that_is_no_database_cannot_be_opened(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "City.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableDatabase, match="City"):
        GeoDatabase(Geo(database=str(path)))


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_damaged_file_raises_nothing_else(file: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 30))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = tmp_path / "damaged.mmdb"
    damaged.write_bytes(content)
    try:
        opened = GeoDatabase(Geo(database=str(damaged)))
    except UnreadableDatabase:
        return
    for address in ("192.0.2.1", "2001:db8::1", "198.51.100.1"):
        try:
            opened.place(address)
        except UnreadableDatabase:
            continue
    opened.close()


def test_a_broken_database_says_why_at_each_lookup() -> None:
    with pytest.raises(UnreadableDatabase, match="damaged"):
        BrokenDatabase("it is damaged").place("192.0.2.1")
