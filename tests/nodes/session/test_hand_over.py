import pytest
from msgspec.structs import replace

from engine.flow.effect import HandOver
from engine.profile.key import KeyRules
from nodes.session.hand_over import SessionHandOver
from tests.nodes.build import node_context, stored_profile

CUSTOMER = ("traits", "customer")
KEYS = KeyRules(forms=((CUSTOMER, "lower"),), exclusive=frozenset({CUSTOMER}))
SESSION = {"id": "s-1", "properties": {}}
ALICE = stored_profile(traits__customer="c-1")


def left(value: object, own=ALICE, session=SESSION, path="traits.customer", **more):
    context = replace(node_context(own, session), **{"keys": KEYS, **more})
    return SessionHandOver(key={path: value}).run(context)


@pytest.mark.parametrize(
    ("identify", "token", "kind"),
    [
        pytest.param("trust", {}, "proof", id="a source with authority"),
        pytest.param("link", {}, "claim", id="a public source"),
        pytest.param("link", {"traits.customer": "C-2"}, "proof", id="a token for the other person"),
        pytest.param("refuse", {"traits.customer": "C-2"}, "proof", id="a token at a source that refuses claims"),
    ],
)
@pytest.mark.parametrize("own", [ALICE, stored_profile()], ids=["from another person", "from nobody known"])
def test_the_session_is_handed_over_to_the_person_with_the_value(own, identify, token, kind):
    outcome = left(" C-2", own, identify=identify, proven=token)
    assert (outcome.port, outcome.effects) == ("handed_over", (HandOver(CUSTOMER, "c-2", kind),))


def test_the_person_of_the_profile_keeps_the_session():
    outcome = left("C-1 ")
    assert (outcome.port, outcome.effects) == ("same", ())


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        pytest.param(left("C-2", handed_over=True), "has been handed over before", id="a second time"),
        pytest.param(left("C-2", identify="refuse"), "may not identify", id="a claim that the source refuses"),
        pytest.param(left("C-2", own=None), "no profile", id="without a profile"),
        pytest.param(left("C-2", session=None), "no session", id="without a session"),
        pytest.param(left("null"), "identifies no person", id="a placeholder"),
        pytest.param(left("a@b.de", path="pii.email"), "`pii.email` is not exclusive", id="a key that many may have"),
    ],
)
def test_a_session_that_cannot_be_handed_over_stays(outcome, reason):
    assert (outcome.port, outcome.effects) == ("failed", ())
    assert reason in outcome.reason
