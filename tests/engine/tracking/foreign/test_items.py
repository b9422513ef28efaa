"""The items of a list of events: a malformed one is rejected alone, and an envelope without items is refused."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tracking.foreign.items import Item, UnusableMember, id_in, items_of, members_of
from engine.tracking.foreign.translation import ForeignEvent
from engine.tracking.intake.payload import Refusal, RejectedEvent

MALFORMED = [
    (b'{"v":NaN}', "/v"),
    (b'{"v":1e999}', "/v"),
    (b'{"v":"\xff"}', "/v"),
    (b'{"v":"a\nb"}', ""),
    (b'{"v":tru}', ""),
    (b'{"v":1,}', ""),
    (rb'{"v":"\q"}', ""),
    (b"[]", ""),
    (b"0", ""),
    (b"null", ""),
    (b'"text"', ""),
    (b"", ""),
    (b'{"v":' + b"[" * 1500 + b"]" * 1500 + b"}", ""),
]
NO_LISTS = [
    *(b"", b" ", b"{}", b'{"a":[1]}', b"null", b"7", b'"text"', b"[1", b"1]", b"[1]]", b"[1}", b"[{]", b'["a]'),
    *(b"[],[]", b'[],"x":[NaN]', b"\xff", b"[1] x", b"[1][2]", b"[1] 2]"),
]

texts = st.text(st.characters(codec="utf-8"), max_size=6)
plain = st.one_of(st.none(), st.booleans(), st.integers(), texts)
objects = st.dictionaries(texts, st.recursive(plain, lambda inner: st.lists(inner, max_size=3)), max_size=3)


def event_of(item: Item) -> ForeignEvent:
    return ForeignEvent(at=item.at, raw=item.raw, type="t", properties=item.members)


@given(st.lists(objects, max_size=5), st.booleans())
def test_every_item_becomes_an_event_with_its_own_text(objects: list[dict[str, Any]], ascii: bool) -> None:
    body = json.dumps(objects, ensure_ascii=ascii, indent=1).encode()
    events = items_of(body, 5, "/events", event_of)
    assert [event.properties for event in events] == objects  # type: ignore[union-attr]
    assert [event.at for event in events] == [f"/events/{index}" for index in range(len(objects))]
    assert all(msgspec.json.decode(event.raw) == value for event, value in zip(events, objects, strict=True))  # type: ignore[union-attr]


@pytest.mark.parametrize(("raw", "place"), MALFORMED)
def test_a_malformed_item_is_rejected_with_its_place_and_its_neighbours_are_taken(raw: bytes, place: str) -> None:
    before, rejected, after = items_of(b'[{"n":1}, %s ,{"n":2}]' % raw, 3, "", event_of)
    assert isinstance(before, ForeignEvent)
    assert isinstance(after, ForeignEvent)
    assert [before.properties, after.properties] == [{"n": 1}, {"n": 2}]
    assert isinstance(rejected, RejectedEvent)
    assert (rejected.index, rejected.at) == (1, f"/1{place}")
    assert rejected.reason


@pytest.mark.parametrize("body", NO_LISTS)
def test_what_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        items_of(body, 5, "/events", event_of)
    assert (refused.value.kind, refused.value.at[:7]) == ("malformed", "/events")


@pytest.mark.parametrize("last", [b"{}", b"NaN"], ids=["of JSON", "with a malformed item"])
def test_more_items_than_allowed_are_refused(last: bytes) -> None:
    assert len(items_of(b"[{},%s]" % last, 2, "", event_of)) == 2
    with pytest.raises(Refusal) as refused:
        items_of(b"[{},{},%s]" % last, 2, "", event_of)
    assert refused.value.kind == "too-large"


def test_half_of_a_surrogate_pair_is_replaced() -> None:
    (taken,) = items_of(rb'[{"v":"\ud83d"}]', 1, "", event_of)
    assert isinstance(taken, ForeignEvent)
    assert (taken.properties, taken.raw) == ({"v": "\ufffd"}, rb'{"v":"\ud83d"}')


@pytest.mark.parametrize(
    ("value", "id"),
    [
        *(("a", "a"), (" ", " "), (7, "7"), (-1, "-1"), (1480457838042.0, "1480457838042"), (1.5, "1.5")),
        *((None, None), ("", None), (0, "0"), (10**300, "1" + "0" * 300), (1e300, str(int(1e300)))),
    ],
)
def test_an_id_is_text_or_the_digits_of_a_number(value: Any, id: str | None) -> None:
    assert id_in({"id": value}, "id", "") == id


@pytest.mark.parametrize(
    "value", [True, False, [], {}, ["a"], {"id": "a"}, 10**4000], ids=lambda value: repr(value)[:9]
)
def test_any_other_value_is_no_id(value: Any) -> None:
    with pytest.raises(UnusableMember) as wrong:
        id_in({"a/b": value}, "a/b", "/properties", "what it must be")
    assert (wrong.value.at, wrong.value.reason) == ("/properties/a~1b", "what it must be")


def test_an_absent_id_is_none() -> None:
    assert id_in({}, "id", "") is None


@given(st.dictionaries(texts, plain, max_size=4))
def test_the_members_of_an_object_are_its_texts(members: dict[str, Any]) -> None:
    found = members_of(json.dumps(members).encode())
    assert {name: json.loads(text) for name, text in found.items()} == members


def test_a_malformed_member_leaves_the_others_readable() -> None:
    assert members_of(b' {"a": [NaN, 1] ,"b":{"c":2}} ') == {"a": b"[NaN, 1]", "b": b'{"c":2}'}


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b'{"a" 1}', b'{"a":1}}', b'{"a":"1}', b"\xff"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        members_of(body)
    assert refused.value.kind == "malformed"
