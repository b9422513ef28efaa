"""User tokens: which prove something, and which do not."""

import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.project.source import Source
from engine.tracking.intake.admission import credential_matches
from engine.tracking.intake.payload import Intake, Refusal
from engine.tracking.intake.user_token import LONGEST, Claims, proven_keys, sign
from tests.engine.profile.histories import examples

NOW = 1_700_000_000_000
SECONDS = NOW // 1000
SECRET = "s3cret-of-the-shop-and-its-back-end"
OTHER = "s3cret-of-another-sender-who-guesses"
KEYS = {"pii.email": "ann@example.com"}
CLAIMS: dict[str, Any] = {"aud": "shop", "exp": SECONDS + 600, "keys": KEYS}
SHOP = Source(source="shop", user_secret=SECRET)


def encoded(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def made(claims: Any = CLAIMS, header: Any = {"alg": "HS256", "typ": "JWT"}, secret: str = SECRET) -> str:  # noqa: B006
    """A token as another program would make it."""
    said = f"{encoded(header)}.{encoded(claims)}"
    return f"{said}.{encoded(hmac.digest(secret.encode(), said.encode(), 'sha256'))}"


def proven(token: str, session: str | None = "s-1", now: int = NOW) -> dict[str, Any] | None:
    return proven_keys(token, SECRET, "shop", session, now)


def test_what_other_programs_make_is_what_we_make():
    assert proven(made()) == proven(sign(Claims(**CLAIMS), SECRET)) == KEYS


@pytest.mark.parametrize(
    ("number", "proves"),
    [("720182990123456789", True), ("19.989999999999998", True), ("12345678901234567890.5", False)],
)
def test_a_key_that_is_a_number_is_proven_exactly_or_not_at_all(number: str, proves: bool) -> None:
    claims = '{"aud": "shop", "exp": %d, "nbf": null, "keys": {"traits.id": %s}}' % (SECONDS + 600, number)  # noqa: UP031
    assert proven(made(claims.encode())) == ({"traits.id": json.loads(number)} if proves else None)


def test_a_token_names_its_source_and_session_also_as_whole_numbers():
    token = made({**CLAIMS, "aud": 7, "session": 42})
    assert proven_keys(token, SECRET, "7", "42", NOW) == KEYS
    assert proven_keys(token, SECRET, "7", "43", NOW) is None


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({}, id="as simple as can be"),
        pytest.param({"session": "s-1"}, id="for this session"),
        pytest.param({"session": None}, id="for no session in particular"),
        pytest.param({"exp": SECONDS + 0.5}, id="for half a second"),
        pytest.param({"exp": SECONDS + 86_400}, id="for a day"),
        pytest.param({"nbf": SECONDS}, id="from now on"),
        pytest.param({"iat": SECONDS, "jti": "n-1", "sub": "4711"}, id="with what else such tokens have"),
    ],
)
def test_a_token_proves_its_keys(claims: dict[str, Any]):
    assert proven(made({**CLAIMS, **claims})) == KEYS


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"exp": SECONDS}, id="expired now"),
        pytest.param({"exp": SECONDS - 1}, id="expired"),
        pytest.param({"exp": SECONDS + 90_000}, id="good for more than a day"),
        pytest.param({"exp": 10**400}, id="good for ever"),
        pytest.param({"exp": str(SECONDS + 600)}, id="an end that is text"),
        pytest.param({"exp": None}, id="an end that is null"),
        pytest.param({"exp": True}, id="an end that is true"),
        pytest.param({"nbf": SECONDS + 600}, id="not good yet"),
        pytest.param({"aud": "till"}, id="for another source"),
        pytest.param({"aud": ["shop"]}, id="for a list of sources"),
        pytest.param({"session": "s-2"}, id="for another session"),
        pytest.param({"keys": {}}, id="no keys"),
        pytest.param({"keys": ["pii.email"]}, id="keys without values"),
        pytest.param({"keys": {"pii.email": True}}, id="a value that is true"),
        pytest.param({"keys": {"pii.email": None}}, id="a value that is null"),
        pytest.param({"keys": {"pii.email": ["ann@example.com"]}}, id="a value that is a list"),
        pytest.param({"keys": {"email": "ann@example.com"}}, id="a key that is nowhere"),
        pytest.param({"keys": {"pii": "ann@example.com"}}, id="a root"),
        pytest.param({"keys": {"consents.mail": "x"}}, id="a consent"),
        pytest.param({"keys": {"pii..email": "x"}}, id="no path"),
        pytest.param({"keys": {**KEYS, "id": "p-bob"}}, id="an id among keys"),
        pytest.param({"keys": {f"traits.k{i}": "x" for i in range(11)}}, id="too many keys"),
    ],
)
def test_a_token_that_says_anything_else_proves_nothing(claims: dict[str, Any]):
    assert proven(made({**CLAIMS, **claims})) is None


@pytest.mark.parametrize("missing", ["aud", "exp", "keys"])
def test_a_token_without_something_proves_nothing(missing: str):
    assert proven(made({name: value for name, value in CLAIMS.items() if name != missing})) is None


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="nothing"),
        pytest.param("..", id="empty parts"),
        pytest.param(made(secret=OTHER), id="another secret"),
        pytest.param(made().rpartition(".")[0], id="no signature"),
        pytest.param(made().rpartition(".")[0] + ".", id="an empty signature"),
        pytest.param(made() + "=", id="a signature with padding"),
        pytest.param(made() + ".x", id="a part too many"),
        pytest.param(made().replace(".", ". ", 1), id="a space"),
        pytest.param(made() + "ü", id="a character that is not ASCII"),
        pytest.param(f"{encoded({'alg': 'none'})}.{encoded(CLAIMS)}.", id="not signed at all"),
        pytest.param(made(header={"alg": "none"}), id="signed, and says it is not"),
        pytest.param(made(header={"alg": "HS512"}), id="says that it is signed otherwise"),
        pytest.param(made(header={"typ": "JWT"}), id="does not say how it is signed"),
        pytest.param(made(header={"alg": "HS256", "crit": ["b64"], "b64": False}), id="wants more of us"),
        pytest.param(made(header=b"{"), id="a header that is no JSON"),
        pytest.param(made(claims=b"\xff"), id="claims that are no text"),
        pytest.param(made(claims=[CLAIMS]), id="claims in a list"),
        pytest.param(made({**CLAIMS, "keys": {"pii.email": "x" * LONGEST}}), id="too long"),
    ],
)
def test_what_is_no_token_of_ours_proves_nothing(token: str):
    assert proven(token) is None


def test_claims_of_one_token_with_the_signature_of_another_prove_nothing():
    bob = made({**CLAIMS, "keys": {"pii.email": "bob@example.com"}}, secret=OTHER)
    assert proven(f"{bob.rpartition('.')[0]}.{made().rpartition('.')[2]}") is None


@examples(200)
@given(st.integers(0, len(made()) - 1), st.characters())
def test_a_token_with_any_character_changed_proves_nothing(place: int, character: str):
    token = made()
    changed = token[:place] + character + token[place + 1 :]
    assert changed == token or proven(changed) is None


# ---- admission ------------------------------------------------------------------------------------------------------


def test_an_admitted_payload_has_the_keys_and_no_token():
    intake = Intake(source="shop", session="s-1", token=made())
    assert credential_matches(intake, SHOP, NOW) == Intake(source="shop", session="s-1", proven=KEYS)


def test_a_payload_without_a_token_proves_nothing():
    intake = Intake(source="shop", session="s-1")
    assert credential_matches(intake, SHOP, NOW) is intake


@pytest.mark.parametrize(
    ("source", "token"),
    [
        pytest.param(SHOP, made(secret=OTHER), id="forged"),
        pytest.param(SHOP, made({**CLAIMS, "exp": SECONDS - 1}), id="expired"),
        pytest.param(SHOP, "", id="empty"),
        pytest.param(Source(source="shop"), made(), id="a source that knows no tokens"),
    ],
)
def test_a_payload_with_an_invalid_token_is_refused_without_a_reason(source: Source, token: str):
    with pytest.raises(Refusal) as refused:
        credential_matches(Intake(source="shop", session="s-1", token=token), source, NOW)
    refusal = refused.value
    assert (refusal.kind, refusal.at) == ("unauthorised", "/userToken")
    assert refusal.detail == "the user token is not valid here and now: ask for a new one"
