import pytest

from engine.profile.consent import MAX_CONSENTS
from engine.profile.operations import Refused, Set
from nodes.consent.set import ConsentSet
from tests.nodes.build import NOW, node_context, stored_profile

DAY = 86_400_000


@pytest.mark.parametrize(
    ("consents", "expires_in", "operations"),
    [
        pytest.param({"mail": True}, None, [Set(("consents", "mail"), {"given": NOW})], id="given"),
        pytest.param({"mail": False}, None, [Set(("consents", "mail"), {"revoked": NOW})], id="revoked"),
        pytest.param(
            {"mail": True, "ads": False},
            DAY,
            [
                Set(("consents", "mail"), {"given": NOW, "expires": NOW + DAY}),
                Set(("consents", "ads"), {"revoked": NOW}),
            ],
            id="several in the order of the file, with an expiry",
        ),
    ],
)
def test_each_consent_is_written_with_the_time_of_the_unit(consents, expires_in, operations):
    outcome = ConsentSet(consents=consents, expires_in=expires_in).run(
        node_context(stored_profile(consents__mail=True))
    )
    assert (outcome.port, list(outcome.effects)) == ("done", operations)


def test_without_a_profile_it_leaves_by_failed():
    outcome = ConsentSet(consents={"mail": True}).run(node_context())
    assert (outcome.port, outcome.reason, outcome.effects) == ("failed", "no profile", ())


def test_the_number_of_consents_of_a_profile_is_limited():
    full = stored_profile(**{f"consents__c{i}": True for i in range(MAX_CONSENTS)})
    with pytest.raises(Refused):
        ConsentSet(consents={"one_more": True}).run(node_context(full))
