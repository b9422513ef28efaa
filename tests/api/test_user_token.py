"""`userToken` in a payload: taken when it is good, refused with 401 when it is not."""

import time
from typing import Any

import msgspec
import pytest
from msgspec import structs

from engine.flow.run import Identify
from engine.project.source import Source
from engine.tracking.intake.user_token import Claims, sign
from tests.api.conftest import Serve
from tests.projects import USERS, payload, project

SECRET = "s3cret-of-the-shop-and-its-back-end"
SHOP = Source(source="shop", user_secret=SECRET, origins=("https://shop.example",))
NOTHING = """
flow: nothing
trigger: {event: nothing}
nodes:
  note: {log: nothing}
"""


def token(secret: str = SECRET, **more: Any) -> str:
    claims = {"aud": "shop", "exp": time.time() + 43_200, "keys": {"pii.email": "ann@example.com"}, **more}
    return sign(Claims(**claims), secret)


BODIES: dict[str, Any] = {
    "/track": payload("x"),
    "/consent": {"source": {"id": "shop"}, "session": {"id": "s-1"}, "consents": {"ads": True}},
}
each_path = pytest.mark.parametrize("path", list(BODIES))


@each_path
@pytest.mark.parametrize("given", [token(), token(session="s-1"), None], ids=["any session", "this session", "null"])
async def test_a_valid_token_or_none_is_accepted(serve: Serve, path: str, given: str | None) -> None:
    client = await serve(project(NOTHING, sources=(SHOP,)))
    answer = await client.post(path, content=msgspec.json.encode({**BODIES[path], "userToken": given}))
    assert answer.status_code == 200
    assert answer.json().keys() == {"profile", "source"}


@each_path
@pytest.mark.parametrize(
    "given",
    [
        pytest.param("", id="empty"),
        pytest.param("not.a.token", id="no token"),
        pytest.param(token("s3cret-of-another-sender-who-guesses"), id="forged"),
        pytest.param(token(exp=1_600_000_000), id="expired"),
        pytest.param(token(session="s-2"), id="for another session"),
        pytest.param(token(aud="till"), id="for another source"),
    ],
)
async def test_a_payload_with_an_invalid_token_is_refused_without_a_reason(serve: Serve, path: str, given: str) -> None:
    client = await serve(project(NOTHING, sources=(SHOP,)))
    origin = {"origin": "https://shop.example"}
    answer = await client.post(path, content=msgspec.json.encode({**BODIES[path], "userToken": given}), headers=origin)
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    document = answer.json()
    document.pop("request", None)  # the id of the request, by which the log has it
    assert document == {
        "type": "about:blank",
        "title": "The sender is not known",
        "status": 401,
        "detail": "the user token is not valid here and now: ask for a new one",
        "at": "/userToken",
    }
    assert (await client.get("/counts")).json()["events"]["received"] == 0


@each_path
@pytest.mark.parametrize("given", [5, {"token": "x"}, "x" * 5000], ids=["a number", "an object", "too long"])
async def test_a_text_that_cannot_be_a_token_is_malformed(serve: Serve, path: str, given: Any) -> None:
    client = await serve(project(NOTHING, sources=(SHOP,)))
    answer = await client.post(path, content=msgspec.json.encode({**BODIES[path], "userToken": given}))
    assert (answer.status_code, answer.json()["at"]) == (400, "/userToken")


@pytest.mark.parametrize("identify", ["link", "refuse"])
@pytest.mark.parametrize(("user", "status"), [("c-1", 200), ("c-2", 400)])
async def test_a_token_for_the_key_of_user_ids_proves_that_user_alone(
    serve: Serve, identify: Identify, user: str, status: int
) -> None:
    client = await serve(project(NOTHING, sources=(structs.replace(SHOP, identify=identify),), settings=USERS))
    body = {**payload("x", session=None), "user": {"id": user}, "userToken": token(keys={"traits.customer": "c-1"})}
    assert (await client.post("/track", json=body)).status_code == status
