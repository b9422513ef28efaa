import pytest
from msgspec.structs import replace

from engine.flow.ask import NoAnswer, ProfileReply, ProfilesByKeys, ProfilesReply
from engine.flow.effect import HoldKey, Merge
from engine.profile.document import LinkKind, Profile
from engine.profile.key import KeyRules
from engine.profile.linking import Pool, key_link, link_id, new_link, undo
from engine.profile.operations import Set
from nodes.profile.merge import ProfileMerge
from tests.nodes.build import ANN, node_context, stored_profile

EMAIL = ("pii", "email")
CAUSE = "pii.email:1f2e"
KEY = HoldKey(CAUSE)
SET = Set(EMAIL, "ann@x.de")
BO = stored_profile("p-bo")
PROVES = Merge((new_link(ANN, "proof", CAUSE),))


def merge(value="ann@x.de", path="pii.email"):
    return ProfileMerge(key={path: value})


def replies(*replies: ProfileReply) -> ProfilesReply:
    return ProfilesReply(tuple([reply if reply.cause else replace(reply, cause=CAUSE) for reply in replies]))


def having(own: Profile, *links: tuple[str, LinkKind, str]) -> Profile:
    """Return the profile with these links of its ids to keys, as proofs name them."""
    made = [new_link(id, kind, key_link(cause, kind)) for id, kind, cause in links]
    return replace(own, links={link.id: link for link in made})


def context_of(own: Profile | None, identify: str = "trust", **more):
    return replace(node_context(own), identify=identify, **more)


def joining(kind: LinkKind, other: Profile, *ids: str) -> Merge:
    """Return the effect that joins these ids by the key, the last of them being that of the run."""
    return Merge(tuple([new_link(id, kind, key_link(CAUSE, kind)) for id in ids]), other)


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
def test_it_asks_for_the_holder_of_the_normalized_key(path, value, text):
    assert merge(value, path).ask(node_context(stored_profile())) == ProfilesByKeys(((path, text, "proof"),))


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
    assert node.ask(node_context(stored_profile())) == ProfilesByKeys(
        (("pii.phone", "1", "proof"), ("traits.login", "ann", "proof"))
    )
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
    assert merge(value, path).ask(context) == ProfilesByKeys(((path, text, "proof"),))
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
    ("identify", "token", "kind"),
    [
        pytest.param("trust", {}, "proof", id="a source with authority"),
        pytest.param("link", {}, "claim", id="a public source"),
        pytest.param("link", {"pii.email": " ANN@x.de"}, "proof", id="a token for the key"),
        pytest.param("link", {"pii.email": "bo@x.de"}, "claim", id="a token for another value"),
        pytest.param("refuse", {"pii.email": "ann@x.de"}, "proof", id="a token at a source that refuses claims"),
    ],
)
def test_the_sender_proves_or_claims_the_key(identify, token, kind):
    context = context_of(stored_profile(), identify, proven=token)
    assert merge().ask(context) == ProfilesByKeys((("pii.email", "ann@x.de", kind),))
    outcome = merge().answer(context, replies(ProfileReply(BO, "p-bo")))
    assert outcome.effects == (joining(kind, BO, "p-bo", ANN), SET)


@pytest.mark.parametrize(
    ("own", "holder", "effects"),
    [
        pytest.param(stored_profile(), None, (PROVES, KEY, SET), id="no profile has the key"),
        pytest.param(stored_profile(pii__email="Ann@X.de "), None, (PROVES, KEY), id="the profile has the value"),
        pytest.param(stored_profile(pii__email="bo@x.de"), None, (PROVES, KEY, SET), id="it has another value"),
        pytest.param(stored_profile(pii__email=42), None, (PROVES, KEY, SET), id="it has a number"),
        pytest.param(stored_profile(), stored_profile(), (PROVES, SET), id="the key leads to the profile"),
        pytest.param(
            having(stored_profile(pii__email="ann@x.de"), (ANN, "proof", CAUSE)), stored_profile(), (), id="a repeat"
        ),
    ],
)
def test_a_key_that_no_other_profile_has_joins_nothing(own, holder, effects):
    reply = ProfileReply(holder, holder.id if holder else None)
    outcome = merge(" Ann@x.de").answer(node_context(own), replies(reply))
    assert (outcome.port, outcome.effects, outcome.out) == ("unchanged", effects, {"id": own.id})


def test_the_first_claim_of_a_key_leaves_no_link():
    outcome = merge().answer(context_of(stored_profile(), "link"), replies(ProfileReply(None)))
    assert (outcome.port, outcome.effects) == ("unchanged", (HoldKey(f"?{CAUSE}"), SET))


@pytest.mark.parametrize("identify", ["trust", "link"])
def test_the_holder_of_the_key_is_joined(identify):
    bo = stored_profile("p-bo", "p-bo-1")
    outcome = merge().answer(context_of(stored_profile(), identify), replies(ProfileReply(bo, "p-bo-1")))
    assert (outcome.port, outcome.out) == ("merged", {"id": "p-bo"})
    assert outcome.effects == (joining("proof" if identify == "trust" else "claim", bo, "p-bo-1", ANN), SET)


def test_the_link_joins_the_acting_id():
    own = replace(stored_profile(ANN, "p-ann-2"), links={"x": new_link(ANN, "own", "p-ann-2")})
    outcome = merge().answer(replace(node_context(own), acting_id="p-ann-2"), replies(ProfileReply(BO, "p-bo")))
    assert outcome.effects[0] == joining("proof", BO, "p-bo", "p-ann-2")


BOTH = stored_profile(ANN, "p-bo", pii__email="ann@x.de")
JOINED = having(BOTH, (ANN, "proof", "pii.phone:1"), ("p-bo", "proof", "pii.phone:1"))
CLAIMED = having(BOTH, (ANN, "claim", CAUSE), ("p-bo", "claim", CAUSE))


@pytest.mark.parametrize(
    ("own", "identify", "effects"),
    [
        pytest.param(JOINED, "trust", (joining("proof", JOINED, "p-bo", ANN),), id="joined by another key"),
        pytest.param(having(BOTH, (ANN, "proof", CAUSE), ("p-bo", "proof", CAUSE)), "trust", (), id="by this key"),
        pytest.param(CLAIMED, "link", (), id="by a claim of this key"),
    ],
)
def test_a_further_link_between_joined_profiles_is_recorded_once(own, identify, effects):
    outcome = merge().answer(context_of(own, identify), replies(ProfileReply(own, "p-bo")))
    assert (outcome.port, outcome.effects) == ("unchanged", effects)


def test_a_proof_of_a_key_that_others_only_claim_joins_none_of_them():
    """Its reply is that of the proven key, which nobody has; that her claims cease is what `RunState` does."""
    outcome = merge().answer(context_of(CLAIMED), replies(ProfileReply(None)))
    assert (outcome.port, outcome.effects) == ("unchanged", (PROVES, KEY))


def test_a_link_that_was_undone_is_not_made_again():
    own = having(stored_profile(), (ANN, "proof", CAUSE))
    own = replace(own, links=dict(undo(Pool.of(own), link_id(ANN, "proof", CAUSE), 5).links))
    outcome = merge().answer(node_context(own), replies(ProfileReply(BO, "p-bo")))
    assert (outcome.port, outcome.effects) == ("unchanged", ())
    assert "undone" in outcome.reason


# ---- what is not joined ----------------------------------------------------------------------------------------------

PROVEN = having(stored_profile(), (ANN, "proof", "pii.phone:1"))


def test_a_claim_of_a_proven_sender_is_data_and_nothing_is_asked():
    outcome = merge().ask(context_of(PROVEN, "link"))
    assert (outcome.port, outcome.effects, outcome.out) == ("unchanged", (SET,), {"id": ANN})
    assert outcome.reason == "the profile is proven: nothing that is only claimed joins it"


def test_of_a_proven_sender_only_the_keys_of_its_token_are_asked_about():
    node = ProfileMerge(key={"pii.email": "ann@x.de", "pii.phone": "1"})
    context = context_of(PROVEN, "link", proven={"pii.phone": "1"})
    assert node.ask(context) == ProfilesByKeys((("pii.phone", "1", "proof"),))
    outcome = node.answer(context, replies(ProfileReply(BO, "p-bo", cause="pii.phone:1")))
    assert (outcome.port, SET in outcome.effects) == ("merged", True)
    assert [effect.links[-1].right for effect in outcome.effects if isinstance(effect, Merge)] == ["pii.phone:1"]


def test_a_claim_of_a_key_that_a_proven_profile_claimed_before_takes_the_key_over():
    bo = having(BO, ("p-bo", "proof", "pii.phone:1"))
    outcome = merge().answer(context_of(stored_profile(), "link"), replies(ProfileReply(bo, "p-bo")))
    assert (outcome.port, outcome.effects) == ("unchanged", (HoldKey(f"?{CAUSE}", ("p-bo",)), SET))


def crowd(kind: LinkKind, count: int = 3) -> Profile:
    """Return a profile of ids that have all brought the key."""
    ids = ["p-bo", *[f"p-bo-{turn}" for turn in range(1, count)]]
    return having(stored_profile(*ids), *[(id, kind, CAUSE) for id in ids])


FEW = KeyRules(max_per_key=2)


def test_a_claim_beyond_the_limit_joins_nobody_and_is_data():
    outcome = merge().answer(
        context_of(stored_profile(), "link", keys=FEW), replies(ProfileReply(crowd("claim"), "p-bo"))
    )
    assert (outcome.port, outcome.effects, outcome.out) == ("unchanged", (SET,), {"id": ANN})
    assert "would join more than 2 profiles" in outcome.reason


def test_a_proof_beyond_the_limit_fails():
    outcome = merge().answer(context_of(stored_profile(), keys=FEW), replies(ProfileReply(crowd("proof"), "p-bo")))
    assert (outcome.port, outcome.effects) == ("failed", ())
    assert "would join more than 2 profiles" in outcome.reason


# ---- exclusive keys --------------------------------------------------------------------------------------------------

ONE_USER = KeyRules(forms=((("traits", "user"), "exact"),), exclusive=frozenset({("traits", "user")}))


@pytest.mark.parametrize(("identify", "kind"), [("trust", "proof"), ("link", "claim")])
def test_another_value_of_an_exclusive_key_leaves_by_other_and_names_both(identify, kind):
    own = having(stored_profile(traits__user="C-1"), (ANN, kind, "traits.user:1"))
    context = context_of(own, identify, keys=ONE_USER)
    outcome = merge("C-2", "traits.user").answer(context, replies(ProfileReply(None, cause="traits.user:2")))
    assert (outcome.port, outcome.effects, outcome.out) == ("other", (), {"id": ANN})
    assert outcome.reason == ("`traits.user` is `C-1` in this profile and `C-2` in the other one: they are two people")


def test_another_key_that_would_join_two_users_leaves_by_other_and_names_both():
    own = having(stored_profile(traits__user="C-1"), (ANN, "proof", "traits.user:1"))
    bo = having(
        stored_profile("p-bo", traits__user="C-2"), ("p-bo", "proof", "traits.user:2"), ("p-bo", "proof", CAUSE)
    )
    outcome = merge().answer(context_of(own, keys=ONE_USER), replies(ProfileReply(bo, "p-bo")))
    assert (outcome.port, outcome.effects) == ("other", ())
    assert outcome.reason == ("`traits.user` is `C-1` in this profile and `C-2` in the other one: they are two people")


def test_a_key_that_joins_counts_more_than_one_that_is_refused():
    own = having(stored_profile(traits__user="C-1"), (ANN, "proof", "traits.user:1"))
    node = ProfileMerge(key={"traits.user": "C-2", "pii.email": "ann@x.de"})
    answer = replies(ProfileReply(None, cause="traits.user:2"), ProfileReply(BO, "p-bo"))
    outcome = node.answer(context_of(own, keys=ONE_USER), answer)
    assert (outcome.port, outcome.effects) == ("merged", (joining("proof", BO, "p-bo", ANN), SET))
    assert "they are two people" in outcome.reason


# ---- several keys, values, no answer ---------------------------------------------------------------------------------


def test_keys_of_several_profiles_join_all_of_them():
    cy = stored_profile("p-cy")
    node = ProfileMerge(key={"pii.email": "ann@x.de", "pii.phone": "1", "traits.login": "ann"})
    outcome = node.answer(
        node_context(stored_profile()),
        replies(
            ProfileReply(BO, "p-bo"),
            ProfileReply(None, cause="pii.phone:1"),
            ProfileReply(cy, "p-cy", cause="traits.login:1"),
        ),
    )
    assert (outcome.port, outcome.out) == ("merged", {"id": "p-bo"})
    assert [effect.other for effect in outcome.effects if isinstance(effect, Merge)] == [BO, None, cy]
    assert HoldKey("pii.phone:1") in outcome.effects


def test_a_number_is_written_to_the_profile_as_a_number():
    outcome = ProfileMerge(key={"pii.email": 42}).answer(node_context(stored_profile()), replies(ProfileReply(None)))
    assert outcome.effects == (PROVES, KEY, Set(EMAIL, 42))


def test_a_number_of_the_profile_matches_the_key_in_text():
    outcome = merge("42").answer(node_context(stored_profile(pii__email=42)), replies(ProfileReply(None)))
    assert outcome.effects == (PROVES, KEY)


def test_no_answer_leaves_by_failed():
    outcome = merge().answer(node_context(stored_profile()), NoAnswer("timeout", "the store is busy"))
    assert (outcome.port, outcome.reason, outcome.effects) == ("failed", "the store is busy", ())
