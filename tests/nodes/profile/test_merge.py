import pytest
from engine.profile.merge import link_id
from msgspec.structs import replace

from engine.flow.ask import NoAnswer, ProfileReply, ProfilesByKeys, ProfilesReply
from engine.flow.effect import ClaimKey, Merge
from engine.profile.document import Link, Profile
from engine.profile.key import KeyRules
from engine.profile.operations import Set
from nodes.profile.merge import ProfileMerge
from tests.nodes.build import ANN, node_context, stored_profile

EMAIL = ("pii", "email")
CLAIM = ClaimKey("pii.email", "ann@x.de")
SET = Set(EMAIL, "ann@x.de")
CAUSE = "pii.email:1f2e"
BO = stored_profile("p-bo")


def merge(value="ann@x.de", path="pii.email"):
    return ProfileMerge(key={path: value})


def replies(*replies: ProfileReply) -> ProfilesReply:
    return ProfilesReply(tuple([replace(reply, cause=CAUSE) for reply in replies]))


def with_link(own: Profile, left: str, right: str, *, claim=False, undone=False) -> Profile:
    """The profile with a link of the cause `CAUSE`."""
    link = Link(link_id(left, right, CAUSE), left, right, CAUSE, claim, undone)
    return replace(own, links={link.id: link})


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        pytest.param("pii.email", " Ann@X.de\n", "ann@x.de", id="an e-mail address is stripped and lower-cased"),
        pytest.param("pii.work_email", "Ann@X.de", "ann@x.de", id="a name that ends in email"),
        pytest.param("pii.email", "Ann", "Ann", id="a text that is not an e-mail address keeps its case"),
        pytest.param("traits.login", "Ann@X.de", "Ann@X.de", id="an e-mail address at another path keeps its case"),
        pytest.param("pii.email", 42, "42", id="a number becomes text"),
        pytest.param("pii.number", 42.0, "42", id="a whole number has no fraction"),
        pytest.param("pii.number", 4.25, "4.25", id="a fraction stays a fraction"),
        pytest.param("pii.number", 9007199254740993, "9007199254740993", id="a large number stays exact"),
        pytest.param("pii.name", "x" * 200, "x" * 200, id="the longest text"),
        pytest.param("pii['e-mail']", "a", "a", id="a quoted name"),
    ],
)
def test_it_asks_for_the_owner_of_the_normalized_key(path, value, text):
    assert merge(value, path).ask(node_context(stored_profile())) == ProfilesByKeys(((path, text),))


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
def test_a_placeholder_leaves_by_failed(value):
    outcome = merge(value).ask(node_context(stored_profile()))
    assert (outcome.port, outcome.effects) == ("failed", ())
    assert "`pii.email`" in outcome.reason


def test_placeholders_among_several_keys_are_left_out():
    node = ProfileMerge(key={"pii.email": "null", "pii.phone": "1", "traits.login": "ann"})
    assert node.ask(node_context(stored_profile())) == ProfilesByKeys((("pii.phone", "1"), ("traits.login", "ann")))
    outcome = node.answer(node_context(stored_profile()), replies(ProfileReply(None), ProfileReply(BO, "p-bo")))
    assert outcome.port == "merged"
    assert outcome.reason == "`null` at `pii.email` is a placeholder and identifies no person"


def test_when_all_keys_are_placeholders_it_leaves_by_failed():
    outcome = ProfileMerge(key={"pii.email": "null", "pii.phone": "0"}).ask(node_context(stored_profile()))
    assert outcome.port == "failed"
    assert outcome.reason.count("identifies no person") == 2


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
    ("path", "value", "text"),
    [
        pytest.param("pii.email", " Ann@X.de", "ann@x.de", id="an e-mail address"),
        pytest.param("pii.email", "ＡＮＮ＠x.de", "ann@x.de", id="an e-mail address in full-width letters"),
        pytest.param("pii.phone", "030 901820", "+4930901820", id="a phone number of the region"),
        pytest.param("pii.phone", "+1 (202) 456-1111", "+12024561111", id="a phone number of another country"),
        pytest.param("pii.phone", 4930901820, "+4930901820", id="a phone number that is a number"),
        pytest.param("traits.login", "ANN ", "ann", id="a text without case"),
        pytest.param("traits.card", "A-1", "A-1", id="a text with case"),
        pytest.param("pii.work_email", "Ann@X.de", "Ann@X.de", id="a form that differs from the one of its name"),
    ],
)
def test_a_declared_key_is_normalized_to_its_form(path, value, text):
    context = replace(node_context(stored_profile()), keys=RULES)
    assert merge(value, path).ask(context) == ProfilesByKeys(((path, text),))
    written = Set(tuple(path.split(".")), text)
    assert written in merge(value, path).answer(context, replies(ProfileReply(None))).effects


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        pytest.param("pii.email", "ann", "is not an e-mail address", id="no e-mail address"),
        pytest.param("pii.email", "a@b@c", "is not an e-mail address", id="two at signs"),
        pytest.param("pii.phone", "12", "is not a phone number of DE", id="too short"),
        pytest.param("pii.phone", "ann", "is not a phone number of DE", id="no digits"),
        pytest.param("pii.phone", "0000000017", "is not a phone number of DE", id="no such number"),
        pytest.param(
            "pii.email", "Shop@Example.com", "`merging.never` in headrace.yaml", id="a value that the project excludes"
        ),
    ],
)
def test_an_invalid_value_of_a_declared_key_leaves_by_failed(path, value, reason):
    outcome = merge(value, path).ask(replace(node_context(stored_profile()), keys=RULES))
    assert (outcome.port, reason in outcome.reason) == ("failed", True)


def test_without_a_profile_it_leaves_by_failed():
    assert merge().ask(node_context()).reason == "no profile"


@pytest.mark.parametrize(
    ("own", "reply", "port", "effects"),
    [
        pytest.param(
            stored_profile(), ProfileReply(None), "unchanged", (CLAIM, SET), id="no profile has the key: it is claimed"
        ),
        pytest.param(
            stored_profile(pii__email="Ann@X.de "),
            ProfileReply(None),
            "unchanged",
            (CLAIM,),
            id="the profile has the value already",
        ),
        pytest.param(
            stored_profile(pii__email="bo@x.de"),
            ProfileReply(None),
            "unchanged",
            (CLAIM, SET),
            id="the profile has another value",
        ),
        pytest.param(
            stored_profile(pii__email=42), ProfileReply(None), "unchanged", (CLAIM, SET), id="the profile has a number"
        ),
        pytest.param(
            stored_profile(), ProfileReply(stored_profile(), ANN), "unchanged", (SET,), id="the profile has the key"
        ),
        pytest.param(
            stored_profile(pii__email="ann@x.de"),
            ProfileReply(stored_profile(), ANN),
            "unchanged",
            (),
            id="the profile has the key and the value",
        ),
    ],
)
def test_a_key_that_no_other_profile_has_joins_nothing(own, reply, port, effects):
    outcome = merge(" Ann@x.de").answer(node_context(own), replies(reply))
    assert (outcome.port, outcome.effects, outcome.out) == (port, effects, {"id": own.id})


@pytest.mark.parametrize(
    ("found_under_id", "right"),
    [
        pytest.param("p-bo-1", "p-bo-1", id="the id that owns the key"),
        pytest.param(None, "p-bo", id="by default the id of the profile"),
    ],
)
def test_the_owner_of_the_key_is_joined(found_under_id, right):
    bo = stored_profile("p-bo", "p-bo-1")
    outcome = merge().answer(node_context(stored_profile()), replies(ProfileReply(bo, found_under_id)))
    assert (outcome.port, outcome.out) == ("merged", {"id": "p-bo"})
    assert outcome.effects == (Merge(bo, left=ANN, right=right, cause=CAUSE), SET)


def test_the_link_joins_the_acting_id():
    outcome = merge().answer(
        replace(node_context(stored_profile(ANN, "p-ann-2")), acting_id="p-ann-2"), replies(ProfileReply(BO, "p-bo"))
    )
    assert outcome.effects[0] == Merge(BO, left="p-ann-2", right="p-bo", cause=CAUSE)


BOTH = stored_profile(ANN, "p-bo", pii__email="ann@x.de")


@pytest.mark.parametrize(
    ("own", "identify", "claimed", "recorded"),
    [
        pytest.param(BOTH, "trust", False, True, id="joined for another cause"),
        pytest.param(with_link(BOTH, ANN, "p-bo"), "trust", False, False, id="joined for this cause"),
        pytest.param(with_link(BOTH, ANN, "p-bo", claim=True), "trust", False, True, id="the claim is proven now"),
        pytest.param(with_link(BOTH, ANN, "p-bo", claim=True), "trust", True, False, id="the key is still a claim"),
        pytest.param(with_link(BOTH, ANN, "p-bo", claim=True), "link", False, False, id="the source is not trusted"),
    ],
)
def test_a_further_link_between_joined_profiles_is_recorded_once(own, identify, claimed, recorded):
    context = replace(node_context(own), identify=identify)
    outcome = merge().answer(context, replies(ProfileReply(own, "p-bo", claimed)))
    merges = [effect for effect in outcome.effects if isinstance(effect, Merge)]
    assert (outcome.port, len(merges)) == ("unchanged", recorded)


def test_profiles_that_an_unmerge_separated_are_not_joined_for_the_same_cause():
    own = with_link(stored_profile(), ANN, "p-bo", undone=True)
    outcome = merge().answer(node_context(own), replies(ProfileReply(BO, "p-bo")))
    assert (outcome.port, outcome.effects) == ("unchanged", ())
    assert "stay separate" in outcome.reason


def test_keys_of_several_profiles_join_all_of_them():
    cy = stored_profile("p-cy")
    node = ProfileMerge(key={"pii.email": "ann@x.de", "pii.phone": "1", "traits.login": "ann"})
    outcome = node.answer(
        node_context(stored_profile()), replies(ProfileReply(BO, "p-bo"), ProfileReply(None), ProfileReply(cy, "p-cy"))
    )
    assert (outcome.port, outcome.out) == ("merged", {"id": "p-bo"})
    assert [effect.other.id for effect in outcome.effects if isinstance(effect, Merge)] == ["p-bo", "p-cy"]
    assert ClaimKey("pii.phone", "1") in outcome.effects


def test_a_number_is_written_to_the_profile_as_a_number():
    outcome = ProfileMerge(key={"pii.email": 42}).answer(node_context(stored_profile()), replies(ProfileReply(None)))
    assert outcome.effects == (ClaimKey("pii.email", "42"), Set(EMAIL, 42))


def test_a_number_of_the_profile_matches_the_key_in_text():
    outcome = merge("42").answer(node_context(stored_profile(pii__email=42)), replies(ProfileReply(None)))
    assert outcome.effects == (ClaimKey("pii.email", "42"),)


def test_no_answer_leaves_by_failed():
    outcome = merge().answer(node_context(stored_profile()), NoAnswer("timeout", "the store is busy"))
    assert (outcome.port, outcome.reason, outcome.effects) == ("failed", "the store is busy", ())
