"""The rows of `engine/ports/kinds.py` say what the records have."""

import pytest
from msgspec import structs

from engine.ports.kind import AnyKind
from engine.ports.kinds import ERASABLE, KINDS, RETAINED, SEARCHABLE
from engine.ports.records import MEMBERS, Unit
from tests.storage.kinds import ALL_KINDS, REMARKS

EACH = pytest.mark.parametrize("kind", ALL_KINDS, ids=[kind.name for kind in ALL_KINDS])


@EACH
def test_a_row_names_fields_that_its_records_have(kind: AnyKind) -> None:
    owners, fields = kind.owners, {field.name: field.type for field in structs.fields(kind.record)}
    named = {kind.id, kind.time, kind.event, kind.due, owners.profile, owners.session, owners.others, *kind.indexed}
    assert named - {None} <= fields.keys()
    assert {"source"} <= fields.keys() or (owners.session is None and kind.event is None)
    assert set(owners.shown) <= fields.keys()
    assert ("version" in fields) == (kind.lifecycle == "versioned") or kind.name == "runs"  # its version is the flow's
    assert kind.due is None or kind.lifecycle == "versioned"


@EACH
def test_a_kind_and_its_indexed_fields_can_name_tables_and_columns(kind: AnyKind) -> None:
    assert kind.name.isidentifier()
    assert kind.name not in {"profiles", "sessions", "keys", "marks", "meta", "gaps", "flow_versions", "records"}
    assert {"seq", "id", "version", "due", "expires", "doc"}.isdisjoint(kind.indexed)


@EACH
def test_the_fields_by_which_stores_find_whose_a_record_is_are_stored_as_they_are(kind: AnyKind) -> None:
    owners = kind.owners
    named = {"source", kind.id, kind.time, kind.event, owners.profile, owners.session}
    fields = [field for field in structs.fields(kind.record) if field.name in named]
    assert all(field.default is None or field.required for field in fields)


@EACH
def test_what_an_export_looks_for_can_be_searched(kind: AnyKind) -> None:
    if kind.searchable is not None:
        fields, owners = kind.searchable.fields, kind.owners
        assert {owners.profile, owners.session, kind.event} - {None} <= fields.keys()
        assert fields[kind.searchable.newest] == "moment"
        assert {name.partition(".")[0] for name in fields} <= set(kind.record.__struct_fields__)


def test_a_kind_of_the_house_is_in_every_list_that_is_made_of_the_rows() -> None:
    documents, events = ["keys", "marks", "profiles", "sessions"], ["cache", "events", "rejected", "runs"]
    assert sorted(ERASABLE) == sorted([*documents, *events, "arrivals", "deliveries", "replays", "waits"])
    assert list(SEARCHABLE) == [
        "events",
        "profiles",
        "sessions",
        "runs",
        "rejected",
        "deliveries",
        "waits",
        "arrivals",
        "audit",
        "run_counts",
    ]
    assert RETAINED == ("events", "runs", "rejected", "audit")


def test_a_unit_hides_which_kinds_have_a_member_of_their_own() -> None:
    unit = Unit(records={"remarks": ("one",)}, **{name: (name,) for name in MEMBERS})
    plain = [kind for kind in KINDS if kind.name in MEMBERS]
    assert [unit.of(kind) for kind in plain] == [(kind.name,) for kind in plain]
    assert (unit.of(REMARKS), Unit().of(REMARKS)) == (("one",), ())


def test_the_stored_name_of_a_field_is_that_in_the_document() -> None:
    assert (REMARKS.stored_name("readers"), REMARKS.stored_name("at")) == ("seen_by", "at")
