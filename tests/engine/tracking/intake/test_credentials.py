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
    ("keys", "cause"),
    [
        ([], "has no key"),
        ([""], "has no key"),
        (["k-3"], "of no enabled source"),
        (["server"], "is the id of the secret source `server`"),
        ([SERVER.key or ""], "of no enabled source"),
        (["tracker"], "`tracker` does not accept segment"),
        (["off"], "`off` is disabled"),
        (["pages", "k1"], "several keys"),
        (["pages", "k-3"], "several keys"),
        (["shared"], "or of two"),
        (["k1", "k2"], "several keys"),
    ],
)
def test_any_other_keys_are_refused_with_a_cause_for_the_log_alone(keys: list[str], cause: str) -> None:
    with pytest.raises(Refusal) as refused:
        Credentials(SOURCES).source_of(keys, "segment", None)
    assert refused.value.kind == "unauthorised"
    assert not any(key in refused.value.detail for key in keys if len(key) > 1)
    assert cause in refused.value.cause
    assert "nobody" not in refused.value.cause


def test_the_page_of_another_origin_is_refused() -> None:
    credentials = Credentials(SOURCES)
    assert credentials.source_of(["pages"], "segment", "https://shop.example") is PAGES
    assert credentials.source_of(["k1"], "segment", "https://other.example") is SERVER  # names no origins
    with pytest.raises(Refusal) as refused:
        credentials.source_of(["pages"], "segment", "https://other.example")
    assert refused.value.kind == "not-allowed"
