"""A malformed event is rejected and no other; a value that is accepted is the value that was sent."""

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.tracking.intake.data_limits import MAX_DIGITS
from engine.tracking.intake.payload import MAX_EVENTS, Refusal, read_track

ENVELOPE = b'{"source":{"id":"shop"},"session":{"id":"s"},"context":{"device":"] phone, {"},"events":[%s],"x":[1]}'

# What is wrong inside of an event, as JSON text for a value of its properties.
MALFORMED = [
    *(
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"-1e999",
        b"1e-999",
        b"12345678901234567890.5",
        b"9007199254740993.0",
    ),
    *(b"undefined", b"'text'", b"tru", b"01", b"1.", b".5", b"+1", b"0x1F", b"--1", b"1_000", b"1 2", b""),
    *(rb'"\q"', rb'"\u12"', rb'"\ud83"', b'"\x00"', b'"a\nb"', b'"\xff"', b'"\xed\xa0\xbd"', b'"\xf0\x9f"'),
    *(b"[1,]", b'{"a":1,}', b'{"a"}', b"{1:2}", b"{a:1}", b"{,}", b"[" * 1500 + b"]" * 1500, b"[" * 21 + b"]" * 21),
    b"9" * (MAX_DIGITS + 1),
    b"9" * 5000,
]
WRONG_TYPES = [
    b"0",
    b"null",
    b'"text"',
    b"[]",
    b"{}",
    b'{"type":5}',
    b'{"type":"x","time":true}',
    b'{"type":"x","id":[]}',
]
BAD = [*[b'{"type":"x","properties":{"v":%s}}' % value for value in MALFORMED], *WRONG_TYPES]

text = st.text(st.characters(codec="utf-8"), max_size=8)
whole = st.one_of(st.integers(), st.integers(-(10**MAX_DIGITS) + 1, 10**MAX_DIGITS - 1))
plain = st.one_of(st.none(), st.booleans(), whole, st.floats(allow_nan=False, allow_infinity=False), text)
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4))
properties = st.dictionaries(text, values, max_size=4)
spaces = st.sampled_from([b"", b" ", b"\n\t", b"\r\n"])


def written(event: Any, ascii: bool) -> bytes:
    """An event as JSON text."""
    return json.dumps(event, ensure_ascii=ascii).encode()


def same(sent: Any, kept: Any) -> bool:
    """Whether two values are equal, and numbers of one type."""
    if isinstance(sent, dict):
        return isinstance(kept, dict) and sent.keys() == kept.keys() and all(same(sent[k], kept[k]) for k in sent)
    if isinstance(sent, list):
        return isinstance(kept, list) and len(sent) == len(kept) and all(map(same, sent, kept))
    return type(sent) is type(kept) and bool(sent == kept)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: repr(bad[:60]))
def test_a_bad_event_between_two_others_is_rejected_alone(bad: bytes) -> None:
    good = b'{"type":"order","properties":{"quoted":"\\" ]},{["}}'
    intake = read_track(ENVELOPE % b",".join((good, bad, good)))
    assert [event.index for event in intake.events] == [0, 2]
    assert intake.events[1].properties == {"quoted": '" ]},{['}
    (rejected,) = intake.rejected
    assert rejected.index == 1
    assert rejected.at.startswith("/events/1")
    assert rejected.reason
    kept = msgspec.json.decode(rejected.body)
    assert kept == bad.decode(errors="backslashreplace") or kept == json.loads(bad)


@given(st.lists(st.tuples(st.one_of(properties, st.sampled_from(BAD)), spaces), min_size=1, max_size=12), st.booleans())
def test_of_any_list_of_events_exactly_the_bad_ones_are_rejected(
    events: list[tuple[dict[str, Any] | bytes, bytes]], ascii: bool
) -> None:
    texts = [
        space + (each if isinstance(each, bytes) else written({"type": "order", "properties": each}, ascii)) + space
        for each, space in events
    ]
    intake = read_track(ENVELOPE % b",".join(texts))
    sent = {index: each for index, (each, _) in enumerate(events) if isinstance(each, dict)}
    assert {event.index: event.properties for event in intake.events} == sent
    assert [event.index for event in intake.rejected] == [i for i in range(len(events)) if i not in sent]


@given(properties, properties, st.booleans())
@example({"id": 720182990123456789, "n": 10**99, "m": -(10**99)}, {}, True)
@example({"price": 19.989999999999998, "tiny": 5e-324, "large": 1.7976931348623157e308}, {"z": -0.0}, False)
def test_a_value_that_is_accepted_is_the_value_that_was_sent(
    sent: dict[str, Any], context: dict[str, Any], ascii: bool
) -> None:
    event = {"type": "order", "properties": sent, "context": context}
    (kept,) = read_track(ENVELOPE % written(event, ascii)).events
    assert same(sent, kept.properties)
    assert same({"device": "] phone, {"} | context, kept.context)


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,24})\.[0-9]{1,24}([eE][+-]?[0-9]{1,3})?", fullmatch=True))
@example("0.1000000000000000055511151231257827021181583404541015625")
@example("0.100000000000000005")
@example("100000000000000000000000000000.0")
@example("123456789012.123456")
@example("1.5e-330")
def test_a_fraction_is_kept_only_if_its_nearest_double_has_its_value_at_as_many_digits(number: str) -> None:
    intake = read_track(ENVELOPE % b'{"type":"order","properties":{"n":%s}}' % number.encode())
    nearest = float(number)
    digits = len(number.lower().partition("e")[0].replace(".", "").lstrip("-0").rstrip("0"))
    forms = {Decimal(repr(nearest)), Decimal(f"{nearest:.{max(digits, 1) - 1}e}")}
    exact = bool(digits) == bool(nearest) and Decimal(number) in forms
    assert [event.properties["n"] for event in intake.events] == ([nearest] if exact else [])
    assert [event.at for event in intake.rejected] == ([] if exact else ["/events/0/properties/n"])


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (r'"Summer sale \ud83d"', "Summer sale \ufffd"),
        (r'"\ud83d\ude00 \ude00"', "😀 \ufffd"),
        (r'"\ud83d\ud83d\ude00"', "\ufffd😀"),
        (r'"\uD83D\u0041"', "\ufffdA"),
        (r'"\\ud83d \\\ud83d"', "\\ud83d \\\ufffd"),
        (r'{"\udead": ["\ud83d"]}', {"\ufffd": ["\ufffd"]}),
    ],
    ids=str,
)
def test_half_of_a_surrogate_pair_is_kept_as_a_replacement_character(sent: str, kept: Any) -> None:
    events = b'{"type":"order"},{"type":"x","properties":{"v":%s}}' % sent.encode()
    intake = read_track(ENVELOPE % events)
    assert [event.index for event in intake.events] == [0, 1]
    assert intake.events[1].properties == {"v": kept}


def test_half_of_a_surrogate_pair_in_the_context_of_a_payload_is_kept_as_a_replacement_character() -> None:
    intake = read_track(
        rb'{"source":{"id":"shop"},"session":{"id":"s"},"context":{"a":"\ud83d"},"events":[{"type":"x"}]}'
    )
    assert (intake.context, intake.events[0].context) == ({"a": "\ufffd"}, {"a": "\ufffd"})


def test_an_event_id_with_half_of_a_surrogate_pair_is_rejected_since_two_could_become_one() -> None:
    intake = read_track(ENVELOPE % rb'{"type":"x","id":"a\ud83d"},{"type":"x","id":"b","properties":{"t":"\ud83d"}}')
    assert [event.id for event in intake.events] == ["b"]
    assert [event.at for event in intake.rejected] == ["/events/0/id"]


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (rb'{"source":{"id":"shop"},"session":{"id":"a\ud83d"},"events":[{"type":"x"}]}', "/session/id"),
        (b'{"source":{"id":"shop"},"context":{"a":[NaN]},"events":[{"type":"x"}]}', "/context/a/0"),
        (b'{"source":{"id":"shop"},"context":{"a":1e999},"events":[{"type":"x"}]}', "/context/a"),
        (b'{"source":{"id":"shop"},"context":{"a":0.10000000000000000001},"events":[{"type":"x"}]}', "/context/a"),
        (b'{"source":{"id":"shop"},"properties":{"a~/":"\xff"},"events":[{"type":"x"}]}', "/properties/a~0~1"),
        (
            b'{"source":{"id":"shop"},"properties":' + b"[" * 2000 + b"]" * 2000 + b',"events":[{"type":"x"}]}',
            "/properties",
        ),
        (b'{"source":{"id":shop},"events":[{"type":"x"}]}', "/source"),
        (b'{"source":{"id":"shop"},"events":NaN}', ""),
        (b'{"source":{"id":"shop"},"events":[{"type":"x"}', ""),
        (b'{"source":{"id":"shop"},"events":[{"type":"x"}] "}', ""),
    ],
    ids=lambda value: repr(value)[:80],
)
def test_a_fault_outside_of_events_refuses_the_payload_with_its_place(body: bytes, at: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_track(body)
    assert (refused.value.kind, refused.value.at) == ("malformed", at)


TOKENS = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"1", b'"events"', b"\\ud83d", b"\xff"]


@pytest.mark.parametrize(
    ("events", "taken", "bad"),
    [
        (b'{"type":"x"},', [0], [1]),
        (b',{"type":"x"}', [1], [0]),
        (b'{"type":"x"} , ,{"type":"x"}', [0, 2], [1]),
        (b",", [], [0, 1]),
        (b'{"type":"x"}{"type":"y"},{"type":"x"}', [1], [0]),
    ],
)
def test_a_comma_too_many_is_one_event_that_is_rejected(events: bytes, taken: list[int], bad: list[int]) -> None:
    intake = read_track(ENVELOPE % events)
    assert ([event.index for event in intake.events], [event.index for event in intake.rejected]) == (taken, bad)


def test_more_events_than_a_payload_may_have_are_refused_as_too_many_though_they_are_malformed() -> None:
    with pytest.raises(Refusal) as refused:
        read_track(ENVELOPE % (b"NaN," * MAX_EVENTS + b"NaN"))
    assert (refused.value.kind, refused.value.at) == ("too-large", "/events")


@given(st.binary(max_size=60) | st.lists(st.sampled_from(TOKENS), max_size=40).map(b"".join))
def test_any_bytes_are_accepted_or_refused(body: bytes) -> None:
    with suppress(Refusal):
        assert read_track(body).source
