"""Documents that a unit reads more than once."""

import pytest

from engine.ports.store import Conflict
from engine.profile.document import Profile, new_profile
from engine.tracking.unit.met_documents import MetDocuments


def at(version: int) -> Profile:
    return Profile(id="other", created=0, version=version)


def test_a_document_that_has_changed_meanwhile_makes_the_unit_run_again() -> None:
    met = MetDocuments(new_profile("own", 0))
    met.add(at(1))
    met.add(at(1))
    with pytest.raises(Conflict):
        met.add(at(2))


def test_the_own_profile_may_be_read_as_it_was_stored_before() -> None:
    met = MetDocuments(new_profile("own", 0))
    for version in (2, 1):
        met.add(Profile(id="own", created=0, version=version, parts=new_profile("own", 0).parts))
