"""The names of keys, taken apart."""

import pytest

from engine.ports.ids import cause_of
from engine.profile.key_name import KeyName, key_name
from engine.profile.linking import key_link

CAUSE = cause_of(b"secret", 'pii["e mail:x"]', "ann@example.com")


@pytest.mark.parametrize(("kind", "claimed"), [("claim", True), ("proof", False)])
def test_a_name_has_the_path_and_the_kind_of_its_key(kind: str, claimed: bool) -> None:
    name = key_link(CAUSE, "claim" if kind == "claim" else "proof")
    assert key_name(name) == KeyName('pii["e mail:x"]', CAUSE[-16:], claimed)


@pytest.mark.parametrize(
    "id", ["", "0123456789abcdef" * 2, "shop:visitor", "a:0123456789ABCDEF", "x:0123456789abcdef0"]
)
def test_an_id_is_no_name_of_a_key(id: str) -> None:
    assert key_name(id) is None
