"""Visitors and users of payloads: which are taken, in which form, and the session of a payload that names none."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from msgspec import structs

from engine.ports.store import Unavailable
from engine.profile.document import Scalar
from engine.profile.key import DEFAULT_KEY_RULES, KeyRules
from engine.project.source import Source
from engine.tracking.intake.pair import proves_user
from engine.tracking.intake.payload import Intake, Refusal, read_track
from engine.tracking.unit.request import with_session
from tests.projects import payload

CUSTOMER = ("traits", "customer")
RULES = KeyRules(
    forms=((CUSTOMER, "lower"),), never=frozenset({"kiosk"}), exclusive=frozenset({CUSTOMER}), user=CUSTOMER
)
LINK = Source(source="shop")
TRUST = Source(source="shop", identify="trust")
REFUSE = Source(source="shop", identify="refuse")
SERVER = Source(source="shop", kind="secret", identify="refuse")
MADE = Source(source="shop", sessions="made")
SECRET = b"the secret of a store"


def intake(members: Mapping[str, Any], *, session: str | None = None, profile_less: bool = False) -> Intake:
    body = {**payload("page-view", session=session), **members}
    return read_track(msgspec.json.encode(body), profile_less=profile_less)


def checked(
    given: Intake, source: Source = LINK, rules: KeyRules = RULES, proven: dict[str, Scalar] | None = None
) -> Intake:
    given = structs.replace(given, proven=proven or {})
    return with_session(given, source, rules, SECRET, lambda: "made")


def of(
    visitor: object = None, user: object = None, *, session: str | None = None, profile_less: bool = False
) -> Intake:
    members = {"visitor": {"id": visitor}, "user": {"id": user}}
    return intake(members, session=session, profile_less=profile_less)


def test_a_payload_has_a_visitor_and_a_user_whose_ids_may_be_numbers() -> None:
    found = checked(of(12, 34))
    assert (found.visitor, found.user, found.previous) == ("12", "34", None)


@pytest.mark.parametrize(
    ("form", "previous", "expected"),
    [("lower", " Old-1 ", "old-1"), ("exact", "Old-1", "Old-1"), ("email", "OLD@x.example", "old@x.example")],
)
def test_an_earlier_user_has_the_form_of_keys_too(form: Any, previous: str, expected: str) -> None:
    rules = structs.replace(RULES, forms=((CUSTOMER, form),))
    found = checked(structs.replace(of("v-1", "new@x.example"), previous=previous), rules=rules)
    assert found.previous == expected


def test_an_earlier_user_that_can_be_none_is_left_out() -> None:
    rules = structs.replace(RULES, forms=((CUSTOMER, "email"),))
    assert checked(structs.replace(of("v-1", "new@x.example"), previous="device-1"), rules=rules).previous is None


@pytest.mark.parametrize("members", [{}, {"visitor": None, "user": None}, {"visitor": {"id": None}, "user": {}}])
def test_a_member_that_is_null_is_as_one_that_is_absent(members: dict[str, Any]) -> None:
    found = checked(intake(members, session="s-1"), rules=DEFAULT_KEY_RULES)
    assert (found.visitor, found.user, found.session) == (None, None, "s-1")


def test_a_user_is_brought_into_the_form_of_its_key() -> None:
    assert checked(of("v-1", "C-2002")).user == "c-2002"


@pytest.mark.parametrize(
    ("visitor", "user", "at", "remedy"),
    [
        pytest.param("undefined", None, "/visitor/id", "make one on the device", id="a visitor without a value"),
        pytest.param("kiosk", None, "/visitor/id", "merging.never", id="a visitor that the project lists"),
        pytest.param("v-1", "null", "/user/id", "leave `user` out before the login", id="a user without a value"),
        pytest.param("v-1", "Kiosk", "/user/id", "merging.never", id="a user that the project lists"),
    ],
)
def test_an_id_that_identifies_nobody_is_refused(visitor: str, user: str | None, at: str, remedy: str) -> None:
    with pytest.raises(Refusal, match=remedy) as refused:
        checked(of(visitor, user, session="s-1"))
    assert (refused.value.kind, refused.value.at) == ("malformed", at)


@pytest.mark.parametrize(
    ("at", "remedy", "given", "source", "rules"),
    [
        pytest.param(
            "/user",
            "declare `identity: {user: …}` in headrace.yaml",
            of("v-1", "c-1"),
            TRUST,
            DEFAULT_KEY_RULES,
            id="in a project without user ids",
        ),
        pytest.param("/user", "leave `user` out", of("v-1", "c-1"), REFUSE, RULES, id="of a source that refuses keys"),
        pytest.param(
            "/user",
            "prove it by a user token",
            of("v-1", "c-1"),
            structs.replace(REFUSE, user_secret="x" * 32),
            RULES,
            id="of a source that takes tokens only",
        ),
        pytest.param(
            "/visitor/id",
            "a user id is no secret",
            of(None, "c-1", session="s-1"),
            LINK,
            RULES,
            id="claimed without a visitor",
        ),
        pytest.param(
            "/user/id",
            "is not a phone number",
            of("v-1", "c-1"),
            LINK,
            KeyRules(forms=((CUSTOMER, "phone"),), user=CUSTOMER),
            id="that does not have the form of its key",
        ),
        pytest.param(
            "/user",
            "send them without `profile_less`",
            of(None, "c-1", profile_less=True),
            TRUST,
            RULES,
            id="without a profile",
        ),
        pytest.param(
            "/visitor",
            "send them without `profile_less`",
            of("v-1", "c-1", profile_less=True),
            LINK,
            RULES,
            id="with a visitor without a profile",
        ),
    ],
)
def test_a_user_is_refused(at: str, remedy: str, given: Intake, source: Source, rules: KeyRules) -> None:
    with pytest.raises(Refusal) as refused:
        checked(given, source, rules)
    assert (refused.value.kind, refused.value.at) == ("malformed", at)
    assert remedy in refused.value.detail


@pytest.mark.parametrize("source", [LINK, REFUSE])
def test_a_user_that_a_token_proves_needs_no_visitor(source: Source) -> None:
    assert checked(of(None, "C-1"), source, proven={"traits['customer']": " c-1"}).user == "c-1"


@pytest.mark.parametrize("source", [LINK, REFUSE])
@pytest.mark.parametrize("proven", [{"traits.customer": "c-2"}, {"traits.card": "c-1"}])
def test_a_token_for_another_key_does_not_prove_a_user(source: Source, proven: dict[str, Scalar]) -> None:
    with pytest.raises(Refusal):
        checked(of(None, "c-1"), source, proven=proven)


def test_a_value_that_has_not_the_form_of_its_key_proves_no_user() -> None:
    rules = KeyRules(forms=((CUSTOMER, "email"),), user=CUSTOMER)
    given = structs.replace(of("v-1", "ann@example.com"), proven={"traits.customer": "ann"})
    assert not proves_user(given, rules)


@pytest.mark.parametrize("source", [TRUST, SERVER])
def test_a_source_that_proves_its_users_needs_no_visitor(source: Source) -> None:
    assert checked(of(None, "c-1"), source).user == "c-1"


@pytest.mark.parametrize("source", [LINK, MADE])
def test_a_session_id_stays_beside_a_visitor(source: Source) -> None:
    assert checked(of("v-1", session="s-1"), source).session == "s-1"


def test_each_pair_has_a_session_of_its_own_if_the_payload_names_none() -> None:
    pairs = [of("v-1"), of("v-2"), of("v-1", "c-1"), of("v-1", "c-2"), of(None, "c-1"), of(None, "v-1")]
    sessions = [checked(pair, TRUST).session for pair in pairs]
    assert len(set(sessions)) == len(pairs)
    assert sessions == [checked(pair, TRUST).session for pair in pairs]
    assert checked(of("v-1", "C-1"), TRUST).session == checked(of("v-1", "c-1"), TRUST).session


def test_the_session_of_a_pair_can_be_named_again() -> None:
    assert not checked(of("v-1"), MADE).session_made
    assert checked(of("v-1"), MADE).session == checked(of("v-1"), LINK).session


def test_the_session_of_a_pair_depends_on_the_source_and_on_the_secret_of_the_store() -> None:
    given = of("v-1")
    elsewhere = structs.replace(given, source="app")
    sessions = {
        checked(given).session,
        checked(elsewhere).session,
        with_session(given, LINK, RULES, b"another secret", lambda: "made").session,
    }
    assert len(sessions) == 3


def test_no_session_is_derived_before_the_secret_of_the_store_is_known() -> None:
    with pytest.raises(Unavailable):
        with_session(of("v-1"), LINK, RULES, b"", lambda: "made")


def test_a_placeholder_as_the_session_is_refused_beside_a_visitor_unless_the_source_makes_sessions() -> None:
    given = of("v-1", session="undefined")
    with pytest.raises(Refusal) as refused:
        checked(given)
    assert refused.value.at == "/session/id"
    assert checked(given, MADE).session == checked(of("v-1")).session


@pytest.mark.parametrize("name", ["visitor", "user"])
def test_a_text_in_place_of_a_reference_is_refused_with_the_object_to_write(name: str) -> None:
    with pytest.raises(Refusal) as refused:
        intake({name: "v-1"})
    assert refused.value.at == f"/{name}"
    assert f'the {name} is an object: write {{"id": "v-1"}}' in refused.value.detail


@pytest.mark.parametrize("name", ["visitor", "user"])
@pytest.mark.parametrize("id", ["", " v", "a\nb", "x" * 201, 1.5, True])
def test_an_id_that_cannot_be_used_is_refused_at_its_place(name: str, id: object) -> None:
    with pytest.raises(Refusal) as refused:
        intake({name: {"id": id}})
    assert refused.value.at == f"/{name}/id"
