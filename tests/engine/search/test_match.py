"""The documents that a query finds: one table for each kind of query."""

from typing import Any

import pytest

from engine.ports.kinds import SEARCHABLE
from engine.ports.records import Rejected, Session, StoredEvent
from engine.profile.document import Part, Profile
from engine.search.match import MAX_TEXT_LENGTH, matches
from engine.search.page import BadCursor, read_cursor, write_cursor
from engine.search.parse import parse

NOW = 1_715_000_000_000


def event(**more: Any) -> StoredEvent:
    return StoredEvent(**{"id": "e-1", "type": "order-paid", "source": "web", "received": NOW, **more})


def is_found(text: str, **properties: Any) -> bool:
    return matches(parse(text, SEARCHABLE["events"], NOW), event(properties=properties))


@pytest.mark.parametrize(("value", "text", "expected"), [
    pytest.param("red", "properties.x:red", True, id="a text is itself"),
    pytest.param("red", "properties.x:re", False, id="not a part of it"),
    pytest.param("red", "properties.x:Red", False, id="nor in other case"),
    pytest.param("red", "properties.x:r*", True, id="but its beginning"),
    pytest.param("red", "properties.y:red", False, id="in its field alone"),
    pytest.param("red", "properties:red", True, id="or in any property"),
    pytest.param("red", "red", True, id="or anywhere"),
    pytest.param("blue sky", "properties.x:blue", False, id="a text of several words is one value"),
    pytest.param("", 'properties.x:""', True, id="an empty text is a value"),
    pytest.param(12, "properties.x:12", True, id="a number"),
    pytest.param(12.0, "properties.x:12", True, id="a number with a fraction of zero"),
    pytest.param(12, "properties.x:12.0", True, id="or without it"),
    pytest.param("12", "properties.x:12", True, id="a number as a text"),
    pytest.param(12.0, 'properties.x:"12"', False, id="quoted numbers are texts"),
    pytest.param(123, "properties.x:12*", True, id="the beginning of a number"),
    pytest.param(True, "properties.x:true", True, id="true"),
    pytest.param(1, "properties.x:true", False, id="1 is not true"),
    pytest.param(None, "properties.x:null", False, id="null is nothing"),
    pytest.param(None, "properties.x:*", False, id="null is no value"),
    pytest.param([], "properties.x:*", False, id="nor is an empty list"),
    pytest.param({"y": 1}, "properties.x:*", False, id="nor is an object"),
    pytest.param({"y": 1}, "properties.x.y:*", True, id="but what is in it"),
    pytest.param({"y": 1}, "properties:*", True, id="and it is a property"),
    pytest.param(["a", ["b"]], "properties.x:b", True, id="any element of a list"),
    pytest.param([{"y": 1}, {"y": 2}], "properties.x.y:2", True, id="any object of a list"),
    pytest.param({"y.z": 1}, "properties.x.y.z:1", True, id="names with dots"),
    pytest.param(6, "properties.x:>5", True, id="more than"),
    pytest.param(5, "properties.x:>5", False, id="not the bound"),
    pytest.param(5, "properties.x:>=5", True, id="the bound"),
    pytest.param("6", "properties.x:>5", False, id="texts have no size"),
    pytest.param(True, "properties.x:>0", False, id="nor has true"),
    pytest.param([1, 9], "properties.x:[5 TO 10}", True, id="any number of a list"),
    pytest.param("x" * MAX_TEXT_LENGTH, "properties.x:*", True, id="the longest text that is searched"),
    pytest.param("x" * (MAX_TEXT_LENGTH + 1), "properties.x:*", False, id="a longer one is not"),
    pytest.param("🐎" * (MAX_TEXT_LENGTH // 2 + 1), "properties.x:🐎*", False, id="as UTF-16 counts"),
    pytest.param("red", "properties.x:(red OR blue)", True, id="one of two"),
    pytest.param("red", "NOT properties.x:red", False, id="not"),
    pytest.param("red", "properties.x:* -properties.x:blue", True, id="any but"),
])  # fmt: skip
def test_an_event_is_found_by_its_properties(value: Any, text: str, expected: bool) -> None:
    assert is_found(text, x=value) == expected


@pytest.mark.parametrize(("text", "expected"), [
    ("id:e-1", True),
    ("e-1", True),
    ("type:order-*", True),
    ("origin:client", True),
    ("session:*", False),
    ("received:>now-1h", True),
    ("received:2024-05-06", True),
    ("received:<2024-05-06", False),
    ("time:2024*", True),
    ("context.page:home", True),
    ("home", True),
])  # fmt: skip
def test_an_event_is_found_by_its_fields(text: str, expected: bool) -> None:
    document = event(time="2024-05-06", context={"page": "home"})
    assert matches(parse(text, SEARCHABLE["events"], NOW), document) == expected


@pytest.mark.parametrize(("text", "expected"), [
    ("id:ann", True),
    ("ids:anna", True),
    ("id:anna", False),
    ("anna", True),
    ("segments:vip", True),
    ("segments:loyal", True),
    ("traits.visits:3", True),
    ("traits.visits:[3 TO 4]", True),
    ('pii.email:"ann@example.com"', True),
    ("ann@example.com", True),
    ("consents.mail.given:true", True),
    ("metadata.created:2024-05-06", True),
    ("metadata.updated:>=1715000000700", True),
    ("metadata.version:2", True),
])  # fmt: skip
def test_a_profile_is_found_by_its_view(text: str, expected: bool) -> None:
    first = Part(
        id="ann", created=NOW, base=NOW, last=NOW + 700,
        cells={"pii.email": "ann@example.com", "consents.mail.given": True, 'segments.~m"vip"': True},
        counts={"traits.visits": (NOW, NOW, 1)},
    )  # fmt: skip
    second = Part(id="anna", created=NOW, base=NOW, counts={"traits.visits": (NOW, NOW, 2)})
    ann = Profile(id="ann", created=NOW, version=2, parts={"ann": first, "anna": second}, conditional=("loyal",))
    assert matches(parse(text, SEARCHABLE["profiles"], NOW), ann) == expected


@pytest.mark.parametrize(("rule", "age"), [("min", "20"), ("max", "30"), ("oldest", "30")])
def test_a_declared_field_is_found_by_the_value_that_shows(rule: Any, age: str) -> None:
    parts = {
        id: Part(id=id, created=NOW, base=at, cells={"traits.age": n}) for id, at, n in (("a", 1, 30), ("b", 2, 20))
    }
    merged = Profile(id="a", created=NOW, version=2, parts=parts)
    ages = [
        n
        for n in ("20", "30")
        if matches(parse(f"traits.age:{n}", SEARCHABLE["profiles"], NOW, {("traits", "age"): rule}), merged)
    ]
    assert ages == [age]


@pytest.mark.parametrize(("text", "expected"), [
    ("reason:missing", True),
    ('reason:"is miss"', True),
    ("reason:the*", True),
    ("reason:type*", False),
    ("missing", True),
    ("Missing", False),
    ("source:web", True),
])  # fmt: skip
def test_a_rejected_event_is_found_by_a_part_of_its_reason(text: str, expected: bool) -> None:
    assert (
        matches(parse(text, SEARCHABLE["rejected"], NOW), Rejected("x", "web", NOW, "the type is missing")) == expected
    )


def test_a_session_is_found_by_its_properties() -> None:
    visit = Session(source="web", id="visit", created=NOW, properties={"page": 3})
    assert matches(parse("properties.page:>2 created:now", SEARCHABLE["sessions"], NOW), visit)


def test_a_cursor_returns_the_values_written_to_it() -> None:
    assert read_cursor(write_cursor("events", "ü", -5), "events", str, int) == ("ü", -5)


@pytest.mark.parametrize("cursor", [
    pytest.param("", id="empty"),
    pytest.param("nonsense", id="nonsense"),
    pytest.param("ü", id="not of its letters"),
    pytest.param(write_cursor("runs", 1), id="of another kind"),
    pytest.param(write_cursor("events", "1"), id="of another type"),
    pytest.param(write_cursor("events", 1, 2), id="too long"),
    pytest.param(write_cursor("events", 2**63), id="too large"),
    pytest.param("e30", id="an object"),
])  # fmt: skip
def test_a_bad_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor, match="start again"):
        read_cursor(cursor, "events", int)
