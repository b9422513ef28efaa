import pytest

from engine.profile.consent import MAX_CONSENTS
from engine.profile.operations import Refused, Set
from nodes.consent.set import ConsentSet
from tests.nodes.build import NOW, person, seen

DAY = 86_400_000


@pytest.mark.parametrize(
    ("consents", "expires_in", "operations"),
    [
        pytest.param({"mail": True}, None, [Set(("consents", "mail"), {"given": NOW})], id="given"),
        pytest.param({"mail": False}, None, [Set(("consents", "mail"), {"revoked": NOW})], id="taken back"),
        pytest.param(
            {"mail": True, "ads": False},
            DAY,
            [
                Set(("consents", "mail"), {"given": NOW, "expires": NOW + DAY}),
                Set(("consents", "ads"), {"revoked": NOW}),
            ],
            id="several, in order of writing, for a time",
        ),
    ],
)
def test_each_consent_is_written_with_the_units_time(consents, expires_in, operations):
    outcome = ConsentSet(consents=consents, expires_in=expires_in).run(seen(person(consents__mail=True)))
    assert (outcome.port, list(outcome.effects)) == ("done", operations)


def test_a_run_without_a_profile_leaves_by_failed():
    outcome = ConsentSet(consents={"mail": True}).run(seen())
    assert (outcome.port, outcome.reason, outcome.effects) == ("failed", "no profile", ())


def test_a_profile_does_not_take_any_number_of_consents():
    full = person(**{f"consents__c{i}": True for i in range(MAX_CONSENTS)})
    with pytest.raises(Refused):
        ConsentSet(consents={"one_more": True}).run(seen(full))
