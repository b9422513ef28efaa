"""The merge history of a profile: its parts, and each link with its kind and its state."""

from typing import Any

import pytest
from msgspec.structs import replace

from engine.profile.document import Clash, Link, LinkOrigin, Part, Profile, Side
from engine.profile.linking import new_link
from engine.profile.merge_history import describe_link, explain_identity

CLAIM = new_link("a", "claim", "?k")
PROOF = new_link("b", "proof", "k")
WHY = LinkOrigin(at=3, event="e-1", type="login", flow="who", node="merge", acting="a", won="b")


def described(link: Link) -> dict[str, Any]:
    return {"link": link.id, "left": link.left, "right": link.right, "by": link.kind}


@pytest.mark.parametrize(
    ("link", "state"),
    [
        pytest.param(PROOF, {"state": "holds"}, id="a proof"),
        pytest.param(new_link("a", "own", "b"), {"state": "holds"}, id="an own link"),
        pytest.param(new_link("a", "proof", "k", alias=True), {"state": "holds", "alias": True}, id="an alias"),
        pytest.param(
            replace(CLAIM, ceased=5, ceased_by=PROOF.id),
            {"state": "ceased", "ceased": 5, "ceased_by": PROOF.id},
            id="a claim that has ceased",
        ),
        pytest.param(replace(PROOF, undone=7), {"state": "undone", "undone": 7}, id="an undone link"),
        pytest.param(
            replace(CLAIM, ceased=5, ceased_by=PROOF.id, undone=7),
            {"state": "undone", "undone": 7, "ceased": 5, "ceased_by": PROOF.id},
            id="a claim that had ceased before it was undone",
        ),
    ],
)
def test_a_link_is_described_with_its_kind_and_its_state(link: Link, state: dict[str, Any]) -> None:
    assert describe_link(link) == described(link) | state


def test_a_link_is_described_with_its_origin() -> None:
    sides = {"left": Side(("a",)), "right": Side(("b", "c"), more=4)}
    clashes = (Clash("traits.x", "left", "1", "2"), Clash("traits.y", "right"))
    link = replace(PROOF, why=replace(WHY, **sides, clashes=clashes, more=3))
    origin = {"at": 3, "event": "e-1", "type": "login", "flow": "who", "node": "merge", "acting": "a", "won": "b"}
    assert describe_link(link) == described(link) | {"state": "holds"} | origin | {
        "held": {"left": {"ids": ["a"]}, "right": {"ids": ["b", "c"], "more": 4}},
        "clashes": [
            {"path": "traits.x", "shown": "left", "left": "1", "right": "2"},
            {"path": "traits.y", "shown": "right"},
        ],
        "more_clashes": 3,
    }


def test_links_are_listed_in_the_order_in_which_they_were_made_and_parts_by_rank() -> None:
    links = [replace(PROOF, why=replace(WHY, at=9)), replace(CLAIM, why=WHY)]
    parts = {id: Part(id, created=created, last=created) for id, created in (("a", 5), ("b", 2), ("c", 1))}
    profile = Profile("b", 2, parts=parts, links={link.id: link for link in links})
    document = explain_identity(profile)
    assert [link["link"] for link in document["links"]] == [CLAIM.id, PROOF.id]
    assert [part["id"] for part in document["parts"]] == ["b", "c", "a"]
    assert len(document["digest"]) == 32
