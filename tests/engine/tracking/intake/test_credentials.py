"""Credentials of foreign protocols: which source the keys of a request name."""

import hashlib

import pytest

from engine.project.source import Source
from engine.tracking.intake.credentials import Credentials
from engine.tracking.intake.payload import Refusal


def secret(name: str, key: str) -> Source:
    digest = hashlib.sha256(key.encode()).hexdigest().upper()
    return Source(source=name, kind="secret", key=digest, accepts=("segment",))


PAGES = Source(source="pages", accepts=("segment",), origins=("https://shop.example",))
SERVER = secret("server", "k1")
SOURCES = {
    one.source: one
    for one in (
        PAGES,
        SERVER,
        Source(source="tracker"),
        Source(source="off", accepts=("segment",), enabled=False),
        secret("twin-1", "shared"),
        secret("twin-2", "shared"),
    )
}


@pytest.mark.parametrize(
    ("keys", "source"),
    [
        (["pages"], PAGES),
        (["k1"], SERVER),
        (["", "k1", ""], SERVER),
        (["pages", "pages"], PAGES),
    ],
)
def test_a_key_names_its_source(keys: list[str], source: Source) -> None:
    assert Credentials(SOURCES).source_of(keys, "segment", None) is source


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [""],
        ["k-3"],
        ["server"],  # the id of a secret source is no key
        [SERVER.key or ""],
        ["tracker"],  # accepts /track only
        ["off"],
        ["pages", "k1"],
        ["pages", "k-3"],
        ["shared"],
        ["k1", "k2"],
    ],
)
def test_any_other_keys_are_refused_without_a_reason(keys: list[str]) -> None:
    with pytest.raises(Refusal) as refused:
        Credentials(SOURCES).source_of(keys, "segment", None)
    assert refused.value.kind == "unauthorised"
    assert not any(key in refused.value.detail for key in keys if len(key) > 1)


def test_the_page_of_another_origin_is_refused() -> None:
    credentials = Credentials(SOURCES)
    assert credentials.source_of(["pages"], "segment", "https://shop.example") is PAGES
    assert credentials.source_of(["k1"], "segment", "https://other.example") is SERVER  # names no origins
    with pytest.raises(Refusal) as refused:
        credentials.source_of(["pages"], "segment", "https://other.example")
    assert refused.value.kind == "not-allowed"
