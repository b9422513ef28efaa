"""Users sign in to the console with a password, and their logins end when they must."""

import re
from typing import Any

import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from litestar.testing import AsyncTestClient

from api.access.logins import IDLE_MS, LONGEST_MS
from api.access.passwords import NO_ONES, Passwords
from api.access.users import LINK_MS
from tests.api.access.console import FORM, Console, console_of, csrf_of
from tests.api.conftest import Serve

PASSWORD = "four words for a test"


@pytest.fixture
async def console(serve: Serve) -> Console:
    return await console_of(serve)


async def test_the_first_administrator_is_made_through_a_link_that_works_once(console: Console) -> None:
    secret = await console.directory.users.begin_setup()
    assert (await console.get(f"/console/login?setup={secret}")).status_code == 200
    given = {"setup": secret, "name": "Ann", "password": PASSWORD, "again": PASSWORD}
    answer = await console.post("/console/login/setup", given)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    assert (await console.get("/console/runs")).status_code == 200
    assert [(user.name, user.role) for user in await console.directory.users.all()] == [("ann", "admin")]
    again = await console.post("/console/login/setup", {**given, "name": "bob"})
    assert (again.status_code, "This link does not work" in again.text) == (403, True)
    assert await console.directory.users.begin_setup() is None


async def test_of_two_setups_at_the_same_time_one_makes_an_administrator(console: Console) -> None:
    import asyncio

    secret = await console.directory.users.begin_setup()
    given = {"setup": secret, "password": PASSWORD, "again": PASSWORD}
    answers = await asyncio.gather(
        *[console.post("/console/login/setup", {**given, "name": name}) for name in ("ann", "bob", "eve")]
    )
    assert sorted(answer.status_code for answer in answers) == [303, 403, 403]
    assert len(await console.directory.users.all()) == 1


async def test_a_link_expires(console: Console) -> None:
    secret = await console.directory.users.begin_setup()
    console.clock.advance(LINK_MS)
    assert (await console.get(f"/console/login?setup={secret}")).status_code == 403


@pytest.mark.parametrize(
    ("password", "again", "said"),
    [
        ("short", "short", "12 or more"),
        ("aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaa", "easily guessed"),
        ("annannannann1", "annannannann1", "easily guessed"),
        ("x" * 300, "x" * 300, "256 characters at most"),
        (PASSWORD, PASSWORD + "!", "the two passwords differ"),
    ],
)
async def test_a_password_that_is_refused_leaves_the_link_valid(
    console: Console, password: str, again: str, said: str
) -> None:
    secret = await console.directory.users.begin_setup()
    answer = await console.post(
        "/console/login/setup", {"setup": secret, "name": "ann", "password": password, "again": again}
    )
    assert (answer.status_code, said in answer.text) == (422, True)
    assert (await console.directory.users.invited(str(secret))).role == "admin"


async def test_a_wrong_password_and_an_unknown_name_are_answered_alike(console: Console) -> None:
    await console.add("ann", "viewer", PASSWORD)
    texts = set()
    for name in ("ann", "bob"):
        answer = await console.post("/console/login", {"name": name, "password": "something else"})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        texts.add(answer.text.replace(name, "NAME"))
    assert len(texts) == 1


def test_the_hash_for_unknown_names_takes_as_long_as_a_new_one() -> None:
    assert not Passwords().is_weak(NO_ONES)


async def test_a_weaker_hash_is_replaced_at_the_next_login(console: Console) -> None:
    await console.add("ann", "viewer", PASSWORD)
    user = await console.directory.users.one("ann")
    assert user is not None
    weak = PasswordHasher.from_parameters(CHEAPEST).hash(PASSWORD)
    await console.directory.users.set_password("ann", weak, instead_of=user.password)
    await console.sign_in("ann", PASSWORD)
    after = await console.directory.users.one("ann")
    assert after is not None
    assert not console.directory.passwords.is_weak(after.password)
    assert (await console.get("/console/runs")).status_code == 200


async def test_after_five_wrong_passwords_an_address_waits_a_minute_and_no_longer(console: Console) -> None:
    await console.add("ann", "viewer", PASSWORD)
    wrong = {"name": "ann", "password": "something else"}
    assert [(await console.post("/console/login", wrong)).status_code for _ in range(6)] == [401] * 5 + [429]
    right = await console.post("/console/login", {"name": "ann", "password": PASSWORD})
    assert (right.status_code, right.headers["retry-after"]) == (429, "60")
    console.clock.advance(60_000)
    assert (await console.post("/console/login", {"name": "ann", "password": PASSWORD})).status_code == 303


async def test_a_login_begins_with_a_new_secret_whatever_cookie_was_sent(console: Console) -> None:
    await console.add("ann", "viewer", PASSWORD)
    console.client.cookies.set("headrace-login", "planted-by-another")
    answer = await console.post("/console/login", {"name": "ann", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert "planted" not in cookie
    assert re.search(r"^headrace-login=[\w-]{43}; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax$", cookie)


async def test_over_tls_the_cookie_belongs_to_this_host_alone(console: Console) -> None:
    await console.add("ann", "viewer", PASSWORD)
    answer = await console.post(
        "/console/login", {"name": "ann", "password": PASSWORD}, headers={"x-forwarded-proto": "https"}
    )
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-headrace-login=")
    assert cookie.endswith("; Secure")
    secret = cookie.partition("=")[2].partition(";")[0]
    console.client.cookies.clear()
    plain = await console.get(
        "/console/runs", headers={"x-forwarded-proto": "https", "cookie": f"headrace-login={secret}"}
    )
    assert plain.status_code == 303
    own = await console.get(
        "/console/runs", headers={"x-forwarded-proto": "https", "cookie": f"__Host-headrace-login={secret}"}
    )
    assert own.status_code == 200


async def test_two_cookies_that_differ_are_no_login(console: Console) -> None:
    await console.add("ann", "viewer", PASSWORD)
    secret = await console.sign_in("ann", PASSWORD)
    console.client.cookies.clear()
    both = f"headrace-login={secret}; headrace-login=tossed"
    assert (await console.get("/console/runs", headers={"cookie": both})).status_code == 303


@pytest.mark.parametrize("after", [IDLE_MS, LONGEST_MS])
async def test_a_login_ends_after_a_time(console: Console, after: int) -> None:
    await console.add("ann", "viewer", PASSWORD)
    await console.sign_in("ann", PASSWORD)
    for _ in range(after // (IDLE_MS // 2)):
        assert (await console.get("/console/runs")).status_code == 200
        console.clock.advance(IDLE_MS // 2 if after == LONGEST_MS else 1)
    console.clock.advance(IDLE_MS if after == IDLE_MS else 0)
    assert (await console.get("/console/runs")).status_code == 303


@pytest.mark.parametrize("what", ["password", "role", "reset", "removal", "logout"])
async def test_a_login_ends_at_once_when_its_user_changes(console: Console, what: str) -> None:
    users = console.directory.users
    await console.add("root", "admin", PASSWORD)
    await console.add("ann", "operator", PASSWORD)
    secret = await console.sign_in("ann", PASSWORD)
    user = await users.one("ann")
    assert user is not None
    page = await console.get("/console/account")
    if what == "logout":
        assert (await console.post("/console/logout", {"csrf": csrf_of(page)})).status_code == 303
    changes: dict[str, Any] = {
        "password": lambda: users.set_password("ann", "another", instead_of=user.password),
        "role": lambda: users.give_role("ann", "viewer"),
        "reset": lambda: users.reset("ann"),
        "removal": lambda: users.remove("ann"),
    }
    if what in changes:
        await changes[what]()
    cookie = {"cookie": f"headrace-login={secret}"}
    assert (await console.get("/console/runs", headers=cookie)).status_code == 303


FOREIGN: list[dict[str, str]] = [
    {},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1.evil.example"},
    {"origin": "http://127.0.0.1:81"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
    {"origin": "http://127.0.0.1", "sec-fetch-site": "cross-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_a_page_elsewhere_can_do_nothing(console: Console, headers: dict[str, str]) -> None:
    await console.add("ann", "admin", PASSWORD)
    await console.sign_in("ann", PASSWORD)
    csrf = csrf_of(await console.get("/console/account"))
    form = {"content-type": FORM, **headers}
    for path in ("/console/logout", "/console/login"):
        answer = await console.client.post(path, content=f"csrf={csrf}&name=ann&password=x", headers=form)
        assert answer.status_code == 403
    forget = await console.client.post("/profiles/x/forget", json={}, headers={"x-csrf-token": csrf, **headers})
    assert forget.status_code == 403


@pytest.mark.parametrize("csrf", ["", "wrong", "ü"])
async def test_a_form_without_the_text_of_its_login_does_nothing(console: Console, csrf: str) -> None:
    await console.add("ann", "admin", PASSWORD)
    await console.sign_in("ann", PASSWORD)
    assert (await console.post("/console/logout", {"csrf": csrf})).status_code == 403
    headers = {"origin": "http://127.0.0.1", "x-csrf-token": csrf.encode()}
    assert (await console.client.post("/profiles/x/forget", json={}, headers=headers)).status_code == 403


async def test_a_login_may_use_the_api_with_the_text_of_its_pages(console: Console) -> None:
    await console.add("ann", "admin", PASSWORD)
    await console.sign_in("ann", PASSWORD)
    headers = {"origin": "http://127.0.0.1", "x-csrf-token": csrf_of(await console.get("/console/account"))}
    assert (await console.client.post("/profiles/x/forget", json={}, headers=headers)).status_code == 404


async def test_without_a_login_a_page_leads_to_the_one_to_sign_in_and_back(console: Console) -> None:
    await console.add("ann", "viewer", PASSWORD)
    asked = await console.get("/console/runs?q=outcome%3Afailed&after=x")
    assert asked.status_code == 303
    assert asked.headers["location"] == "/console/login?next=%2Fconsole%2Fruns%3Fq%3Doutcome%253Afailed%26after%3Dx"
    form = await console.get(asked.headers["location"])
    assert 'value="/console/runs?q=outcome%3Afailed&amp;after=x"' in form.text
    answer = await console.post(
        "/console/login", {"name": "ann", "password": PASSWORD, "next": "/console/runs?q=outcome%3Afailed"}
    )
    assert answer.headers["location"] == "/console/runs?q=outcome%3Afailed"
    part = await AsyncTestClient(console.client.app).get("/console/runs", headers={"hx-request": "true"})
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/console/login?next=%2Fconsole%2Fruns")


@pytest.mark.parametrize(
    "next",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/console\\..\\evil",
        "/console.evil.example",
        "/console/x\r\nSet-Cookie: a=b",
        "/console/\x00",
        "javascript:alert(1)",
        "/consoleevil",
        "",
    ],
)
async def test_a_login_leads_nowhere_else(console: Console, next: str) -> None:
    await console.add("ann", "viewer", PASSWORD)
    answer = await console.post("/console/login", {"name": "ann", "password": PASSWORD, "next": next})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    assert len(answer.headers.get_list("set-cookie")) == 1


async def test_a_refusal_names_the_role_that_it_takes(console: Console) -> None:
    await console.add("ann", "viewer", PASSWORD)
    await console.sign_in("ann", PASSWORD)
    page = await console.get("/console/users")
    assert page.status_code == 403
    assert "this takes the role `admin`" in page.text
    assert (await console.client.get("/search/audit")).status_code == 403


async def test_passwords_and_secrets_are_not_stored_as_they_are(console: Console) -> None:
    await console.add("ann", "viewer", PASSWORD)
    secret = await console.sign_in("ann", PASSWORD)
    link = await console.directory.users.add("bob", "viewer")
    key = await console.directory.keys.add("ci", "viewer", "ann", personal=False)
    stored = repr(await console.store.notes("")) + repr(vars(console.store))
    for hidden in (PASSWORD, secret, link, key):
        assert hidden not in stored
