from hashlib import sha256

import pytest

from engine.flow.ask import NoAnswer, ProfileByKey, ProfileReply
from engine.flow.effect import ClaimKey, Merge
from engine.profile.operations import Set
from nodes.profile.merge import ProfileMerge
from tests.nodes.build import ANN, person, seen

EMAIL = ("pii", "email")
CLAIM = ClaimKey("pii.email", "ann@x.de")
SET = Set(EMAIL, "ann@x.de")


def merge(value="ann@x.de", path="pii.email"):
    return ProfileMerge(key={path: value})


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
    assert merge(value, path).ask(seen(person())) == ProfileByKey(path, asked)


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


def test_a_run_without_a_profile_leaves_by_failed():
    assert merge().ask(seen()).reason == "no profile"


@pytest.mark.parametrize(
    ("own", "reply", "port", "effects"),
    [
        pytest.param(person(), ProfileReply(None), "unchanged", (CLAIM, SET), id="nobody has the key: it is claimed"),
        pytest.param(
            person(pii__email="Ann@X.de "), ProfileReply(None), "unchanged", (CLAIM,), id="the profile shows it already"
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
        pytest.param(
            person("p-old"), ProfileReply(person(ANN, "p-old"), ANN), "unchanged", (SET,), id="one's later profile"
        ),
        pytest.param(
            person(ANN, "p-bo"), ProfileReply(person("p-bo")), "unchanged", (SET,), id="joined earlier in this run"
        ),
    ],
)
def test_a_key_of_nobody_else_changes_no_more_than_the_value(own, reply, port, effects):
    outcome = merge(" Ann@x.de").answer(seen(own), reply)
    assert (outcome.port, outcome.effects, outcome.out) == (port, effects, {"id": own.id})


@pytest.mark.parametrize(
    ("under", "right"),
    [pytest.param("p-bo-1", "p-bo-1", id="the id that it came in under"), pytest.param(None, "p-bo", id="else the id")],
)
def test_the_profile_that_has_the_key_is_joined(under, right):
    bo = person("p-bo", "p-bo-1")
    outcome = merge().answer(seen(person()), ProfileReply(bo, under))
    cause = "pii.email:" + sha256(b"ann@x.de").hexdigest()[:16]
    assert (outcome.port, outcome.out) == ("merged", {"id": "p-bo"})
    assert outcome.effects == (Merge(bo, left=ANN, right=right, cause=cause), SET)


def test_a_number_as_key_is_shown_as_the_number():
    outcome = ProfileMerge(key={"pii.email": 42}).answer(seen(person()), ProfileReply(None))
    assert outcome.effects == (ClaimKey("pii.email", "42"), Set(EMAIL, 42))


def test_a_number_that_the_profile_shows_is_the_key_in_text():
    outcome = merge("42").answer(seen(person(pii__email=42)), ProfileReply(None))
    assert outcome.effects == (ClaimKey("pii.email", "42"),)


def test_no_answer_leaves_by_failed():
    outcome = merge().answer(seen(person()), NoAnswer("timeout", "the store is busy"))
    assert (outcome.port, outcome.reason, outcome.effects) == ("failed", "the store is busy", ())
