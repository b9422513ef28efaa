"""Profiles of earlier versions, with steps between ids: the links to keys that they get, and who stays together."""

import pytest
from msgspec.structs import replace

from engine.profile.document import EarlierLink, LinkOrigin, Part, Profile
from engine.profile.linking import Pool, groups, link_id, settled
from engine.profile.upgrade import upgraded, with_proof

CAUSE = "pii.email:1f2e"


def old(*steps: EarlierLink) -> Profile:
    """Return a profile of the ids a, b and c, in the order in which they were stored."""
    parts = {id: Part(id, created=turn) for turn, id in enumerate("abc")}
    return Profile("a", 0, version=7, parts=parts, steps={step.id: step for step in steps})


def step(left: str, right: str, cause: str = CAUSE, **more: object) -> EarlierLink:
    return replace(EarlierLink(f"{left}-{right}-{cause}", left, right, cause), **more)


def links(profile: Profile) -> list[tuple[str, str, str, bool]]:
    return sorted((link.left, link.kind, link.right, link.holds) for link in profile.links.values())


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param(
            [step("a", "b")], [("a", "proof", CAUSE, True), ("b", "proof", CAUSE, True)], id="a step by a proven key"
        ),
        pytest.param(
            [step("a", "b", claim=True)],
            [("a", "claim", f"?{CAUSE}", True), ("b", "claim", f"?{CAUSE}", True)],
            id="by a claimed key",
        ),
        pytest.param([step("b", "a", "alias")], [("b", "proof", "a", True)], id="by an alias"),
        pytest.param([step("b", "a", "alias", claim=True)], [("b", "claim", "a", True)], id="by a claimed alias"),
        pytest.param([step("b", "a", "promised")], [("b", "own", "a", True)], id="of an id that was answered before"),
        pytest.param(
            [step("a", "b", undone=True)],
            [("a", "proof", CAUSE, True), ("b", "proof", CAUSE, False)],
            id="undone: the id that was stored later leaves",
        ),
        pytest.param(
            [step("a", "b"), step("a", "c")],
            [(id, "proof", CAUSE, True) for id in "abc"],
            id="several by one key: each id has one link",
        ),
    ],
)
def test_steps_become_links(steps: list[EarlierLink], expected: list[object]) -> None:
    profile = upgraded(old(*steps))
    assert (links(profile), profile.steps, profile.version) == (expected, {}, 7)


def test_the_link_of_the_id_that_came_in_is_undone_and_keeps_the_origin() -> None:
    why = LinkOrigin(at=3, event="e", type="t", flow="f", node="n", acting="a", won="a")
    profile = upgraded(old(step("a", "b", undone=True, undone_at=9, why=why)))
    came, other = (profile.links[link_id(id, "proof", CAUSE)] for id in "ab")
    assert (came.undone, came.why, other.undone, other.why) == (9, why, 0, None)


def test_a_profile_without_steps_stays_as_it_is() -> None:
    profile = upgraded(old(step("a", "b")))
    assert upgraded(profile) is profile


def test_an_id_that_had_proven_a_key_leaves_those_whom_claims_had_joined_with_it() -> None:
    profile = upgraded(old(step("a", "b", claim=True), step("a", "c", claim=True)))
    proven = with_proof(profile, "a", CAUSE)
    assert with_proof(proven, "a", CAUSE) is proven
    assert with_proof(profile, "stranger", CAUSE) is profile
    assert groups(settled(Pool.of(proven), 5)) == [{"a"}, {"b", "c"}]
