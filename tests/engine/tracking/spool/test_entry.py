"""Spool entries: what a unit keeps while it waits, and which units wait for one another."""

from typing import Any

import msgspec
from msgspec import structs

from effects.clock import SystemClock
from engine.ports.spool import SpoolEntry
from engine.project.source import Source
from engine.tracking.intake.payload import read_track
from engine.tracking.spool.entry import ordered_groups, pack, unpack
from engine.tracking.unit.request import UnitRequest
from tests.projects import payload

SHOP = Source(source="shop")


def entry(*, session: str, source: str = "shop", **members: Any) -> SpoolEntry:
    body = payload({"type": "page-view", "id": f"e-{session}"}, session=session, **members)
    intake = structs.replace(read_track(msgspec.json.encode(body)), source=source)
    request = UnitRequest.of(intake, structs.replace(SHOP, source=source), SystemClock(), lambda: session)
    return pack(request, "here", None, tried=False)


def groups(*entries: SpoolEntry) -> list[int]:
    return [len(group.waiting) for group in ordered_groups(map(unpack, entries))]


def test_a_unit_keeps_its_visitor_and_its_user() -> None:
    kept = unpack(entry(session="s-1", visitor={"id": "v-1"}, user={"id": "c-1"})).spooled
    assert kept is not None
    assert (kept.intake.visitor, kept.intake.user, kept.intake.previous) == ("v-1", "c-1", None)


def test_an_entry_from_before_visitors_and_users_is_read_without_them() -> None:
    written = entry(session="s-1")
    doc = msgspec.json.decode(written.doc)
    for name in ("visitor", "user", "previous"):
        assert doc["intake"].pop(name) is None
    kept = unpack(structs.replace(written, doc=msgspec.json.encode(doc))).spooled
    assert kept is not None
    assert (kept.intake.session, kept.intake.visitor, kept.intake.user) == ("s-1", None, None)


def test_units_of_one_visitor_wait_for_one_another_within_a_source() -> None:
    same = entry(session="s-1", visitor={"id": "v-1"}), entry(session="s-2", visitor={"id": "v-1"})
    assert groups(*same, entry(session="s-3", visitor={"id": "v-1"}, source="app")) == [2, 1]


def test_units_of_one_user_wait_for_one_another_from_every_source() -> None:
    same = entry(session="s-1", user={"id": "c-1"}), entry(session="s-2", user={"id": "c-1"}, source="app")
    assert groups(*same, entry(session="s-3", user={"id": "c-2"})) == [2, 1]


def test_the_unit_of_an_alias_waits_for_those_of_both_ids_of_its_user() -> None:
    old, new = entry(session="s-1", user={"id": "c-0"}), entry(session="s-2", user={"id": "c-1"})
    kept = unpack(entry(session="s-3", user={"id": "c-1"})).spooled
    assert kept is not None
    alias = structs.replace(kept, intake=structs.replace(kept.intake, previous="c-0"))
    assert groups(old, new, structs.replace(old, doc=msgspec.json.encode(alias), position=3)) == [3]
