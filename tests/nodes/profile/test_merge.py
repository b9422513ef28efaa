import pytest
from msgspec.structs import replace

from engine.flow.ask import NoAnswer, ProfileReply, ProfilesByKeys, ProfilesReply
from engine.flow.effect import ClaimKey, Merge
from engine.profile.document import Link, Profile
from engine.profile.key import KeyRules
from engine.profile.merge import link_id
from engine.profile.operations import Set
from nodes.profile.merge import ProfileMerge
from tests.nodes.build import ANN, person, seen

EMAIL = ("pii", "email")
CLAIM = ClaimKey("pii.email", "ann@x.de")
SET = Set(EMAIL, "ann@x.de")
CAUSE = "pii.email:1f2e"
BO = person("p-bo")


def merge(value="ann@x.de", path="pii.email"):
    return ProfileMerge(key={path: value})


def found(*replies: ProfileReply) -> ProfilesReply:
    return ProfilesReply(tuple([replace(reply, cause=CAUSE) for reply in replies]))


def joined_before(own: Profile, left: str, right: str, *, claim=False, undone=False) -> Profile:
    """The profile with a step of that cause."""
    step = Link(link_id(left, right, CAUSE), left, right, CAUSE, claim, undone)
    return replace(own, links={step.id: step})


@pytest.mark.parametrize(
    ("path", "value", "asked"),
    [
        pytest.param("pii.email", " Ann@X.de\n", "ann@x.de", id="an address is stripped and lower-cased"),
        pytest.param("pii.work_email", "Ann@X.de", "ann@x.de", id="also where the name ends in email"),
        pytest.param("pii.email", "Ann", "Ann", id="what is no address keeps its case"),
        pytest.param("traits.login", "Ann@X.de", "Ann@X.de", id="so does an address elsewhere"),
        pytest.param("pii.email", 42, "42", id="a number is taken as text"),
        pytest.param("pii.number", 42.0, "42", id="a whole number has no fraction"),
        pytest.param("pii.number", 4.25, "4.25", id="a fraction stays"),
        pytest.param("pii.number", 9007199254740993, "9007199254740993", id="a large number stays exact"),
        pytest.param("pii.name", "x" * 200, "x" * 200, id="200 characters are not too many"),
        pytest.param("pii['e-mail']", "a", "a", id="a quoted name"),
    ],
)
def test_it_asks_whose_key_it_is(path, value, asked):
    assert merge(value, path).ask(seen(person())) == ProfilesByKeys(((path, asked),))


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "null",
        "NULL",
        "undefined",
        "Anonymous",
        "guest",
        "none",
        "nan",
        "[object Object]",
        "0",
        "true",
        "False",
        '"null"',
        "'undefined'",
        '""',
        " none ",
        0,
        0.0,
        True,
        False,
        None,
        "x" * 201,
    ],
    ids=ascii,
)
def test_a_placeholder_never_joins(value):
    outcome = merge(value).ask(seen(person()))
    assert (outcome.port, outcome.effects) == ("failed", ())
    assert "`pii.email`" in outcome.reason


def test_of_several_keys_those_that_stand_for_nobody_are_left_out():
    node = ProfileMerge(key={"pii.email": "null", "pii.phone": "1", "traits.login": "ann"})
    assert node.ask(seen(person())) == ProfilesByKeys((("pii.phone", "1"), ("traits.login", "ann")))
    outcome = node.answer(seen(person()), found(ProfileReply(None), ProfileReply(BO, "p-bo")))
    assert outcome.port == "merged"
    assert outcome.reason == "`null` at `pii.email` is a placeholder and stands for nobody"


def test_when_all_keys_stand_for_nobody_it_leaves_by_failed():
    outcome = ProfileMerge(key={"pii.email": "null", "pii.phone": "0"}).ask(seen(person()))
    assert outcome.port == "failed"
    assert outcome.reason.count("stands for nobody") == 2


RULES = KeyRules(
    forms=(
        (EMAIL, "email"),
        (("pii", "phone"), "phone"),
        (("traits", "login"), "lower"),
        (("traits", "card"), "exact"),
        (("pii", "work_email"), "exact"),
    ),
    region="DE",
    never=frozenset({"shop@example.com"}),
)


@pytest.mark.parametrize(
    ("path", "value", "asked"),
    [
        pytest.param("pii.email", " Ann@X.de", "ann@x.de", id="an address"),
        pytest.param("pii.email", "ＡＮＮ＠x.de", "ann@x.de", id="an address in full-width letters"),
        pytest.param("pii.phone", "030 901820", "+4930901820", id="a number of the region"),
        pytest.param("pii.phone", "+1 (202) 456-1111", "+12024561111", id="a number of another country"),
        pytest.param("pii.phone", 4930901820, "+4930901820", id="a number as a number"),
        pytest.param("traits.login", "ANN ", "ann", id="a text without case"),
        pytest.param("traits.card", "A-1", "A-1", id="a text with case"),
        pytest.param("pii.work_email", "Ann@X.de", "Ann@X.de", id="declared otherwise than by its name"),
    ],
)
def test_a_declared_key_is_brought_into_its_form(path, value, asked):
    world = replace(seen(person()), keys=RULES)
    assert merge(value, path).ask(world) == ProfilesByKeys(((path, asked),))
    written = Set(tuple(path.split(".")), asked)
    assert written in merge(value, path).answer(world, found(ProfileReply(None))).effects


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        pytest.param("pii.email", "ann", "is not an e-mail address", id="no address"),
        pytest.param("pii.email", "a@b@c", "is not an e-mail address", id="two signs"),
        pytest.param("pii.phone", "12", "is not a phone number of DE", id="too short"),
        pytest.param("pii.phone", "ann", "is not a phone number of DE", id="no digits"),
        pytest.param("pii.phone", "0000000000", "is not a phone number of DE", id="no such number"),
        pytest.param("pii.email", "Shop@Example.com", "`merging.never` in headrace.yaml", id="nobody by the project"),
    ],
)
def test_what_cannot_be_such_a_key_joins_nobody(path, value, reason):
    outcome = merge(value, path).ask(replace(seen(person()), keys=RULES))
    assert (outcome.port, reason in outcome.reason) == ("failed", True)


def test_a_run_without_a_profile_leaves_by_failed():
    assert merge().ask(seen()).reason == "no profile"


@pytest.mark.parametrize(
    ("own", "reply", "port", "effects"),
    [
        pytest.param(person(), ProfileReply(None), "unchanged", (CLAIM, SET), id="nobody has the key: it is claimed"),
        pytest.param(
            person(pii__email="Ann@X.de "),
            ProfileReply(None),
            "unchanged",
            (CLAIM,),
            id="the profile shows it already",
        ),
        pytest.param(
            person(pii__email="bo@x.de"), ProfileReply(None), "unchanged", (CLAIM, SET), id="the profile shows another"
        ),
        pytest.param(
            person(pii__email=42), ProfileReply(None), "unchanged", (CLAIM, SET), id="the profile shows a number"
        ),
        pytest.param(person(), ProfileReply(person(), ANN), "unchanged", (SET,), id="the key is one's own"),
        pytest.param(
            person(pii__email="ann@x.de"), ProfileReply(person(), ANN), "unchanged", (), id="one's own, and shown"
        ),
    ],
)
def test_a_key_of_nobody_else_changes_no_more_than_the_value(own, reply, port, effects):
    outcome = merge(" Ann@x.de").answer(seen(own), found(reply))
    assert (outcome.port, outcome.effects, outcome.out) == (port, effects, {"id": own.id})


@pytest.mark.parametrize(
    ("under", "right"),
    [pytest.param("p-bo-1", "p-bo-1", id="the id that it came in under"), pytest.param(None, "p-bo", id="else the id")],
)
def test_the_profile_that_has_the_key_is_joined(under, right):
    bo = person("p-bo", "p-bo-1")
    outcome = merge().answer(seen(person()), found(ProfileReply(bo, under)))
    assert (outcome.port, outcome.out) == ("merged", {"id": "p-bo"})
    assert outcome.effects == (Merge(bo, left=ANN, right=right, cause=CAUSE), SET)


def test_the_id_that_acts_is_the_one_that_is_joined():
    outcome = merge().answer(
        replace(seen(person(ANN, "p-ann-2")), acting_id="p-ann-2"), found(ProfileReply(BO, "p-bo"))
    )
    assert outcome.effects[0] == Merge(BO, left="p-ann-2", right="p-bo", cause=CAUSE)


BOTH = person(ANN, "p-bo", pii__email="ann@x.de")


@pytest.mark.parametrize(
    ("own", "identify", "claimed", "recorded"),
    [
        pytest.param(BOTH, "trust", False, True, id="joined for another cause"),
        pytest.param(joined_before(BOTH, ANN, "p-bo"), "trust", False, False, id="joined for this cause"),
        pytest.param(joined_before(BOTH, ANN, "p-bo", claim=True), "trust", False, True, id="a claim is proven now"),
        pytest.param(joined_before(BOTH, ANN, "p-bo", claim=True), "trust", True, False, id="the key is still a claim"),
        pytest.param(joined_before(BOTH, ANN, "p-bo", claim=True), "link", False, False, id="who sends proves nothing"),
    ],
)
def test_what_joins_two_that_are_one_is_recorded_once(own, identify, claimed, recorded):
    world = replace(seen(own), identify=identify)
    outcome = merge().answer(world, found(ProfileReply(own, "p-bo", claimed)))
    merges = [effect for effect in outcome.effects if isinstance(effect, Merge)]
    assert (outcome.port, len(merges)) == ("unchanged", recorded)


def test_what_was_set_apart_is_not_joined_again_for_the_same_cause():
    own = joined_before(person(), ANN, "p-bo", undone=True)
    outcome = merge().answer(seen(own), found(ProfileReply(BO, "p-bo")))
    assert (outcome.port, outcome.effects) == ("unchanged", ())
    assert "set apart" in outcome.reason


def test_keys_of_several_profiles_join_them_all():
    cy = person("p-cy")
    node = ProfileMerge(key={"pii.email": "ann@x.de", "pii.phone": "1", "traits.login": "ann"})
    outcome = node.answer(seen(person()), found(ProfileReply(BO, "p-bo"), ProfileReply(None), ProfileReply(cy, "p-cy")))
    assert (outcome.port, outcome.out) == ("merged", {"id": "p-bo"})
    assert [effect.other.id for effect in outcome.effects if isinstance(effect, Merge)] == ["p-bo", "p-cy"]
    assert ClaimKey("pii.phone", "1") in outcome.effects


def test_a_number_as_key_is_shown_as_the_number():
    outcome = ProfileMerge(key={"pii.email": 42}).answer(seen(person()), found(ProfileReply(None)))
    assert outcome.effects == (ClaimKey("pii.email", "42"), Set(EMAIL, 42))


def test_a_number_that_the_profile_shows_is_the_key_in_text():
    outcome = merge("42").answer(seen(person(pii__email=42)), found(ProfileReply(None)))
    assert outcome.effects == (ClaimKey("pii.email", "42"),)


def test_no_answer_leaves_by_failed():
    outcome = merge().answer(seen(person()), NoAnswer("timeout", "the store is busy"))
    assert (outcome.port, outcome.reason, outcome.effects) == ("failed", "the store is busy", ())
