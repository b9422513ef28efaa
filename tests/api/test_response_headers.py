"""Every answer tells a browser what it is, and a page may use nothing but its own style sheet."""

import base64
import hashlib
import re
from html import unescape

import pytest

from tests.api.conftest import Serve
from tests.projects import payload, project

FLOW = """
flow: count
trigger: {event: counted}
nodes:
  add: {profile.increment: {traits.count: 1}}
"""


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/health/live", "/health/ready", "/counts", "/rejected", "/search/events", "/segments"),
        *(
            "/collect/counted/shop",
            "/schema",
            "/schema/openapi.json",
            "/schema/x",
            "/nowhere",
            "/events/nope",
            "/track",
            "/consent",
        ),
    ],
)
async def test_no_browser_guesses_the_media_type_of_an_answer(serve: Serve, path: str) -> None:
    answer = await (await serve(project(FLOW))).get(path)
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert ("content-security-policy" in answer.headers) is answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("content", [payload("counted"), {"no": "payload"}])
async def test_no_browser_guesses_the_media_type_of_an_answer_to_an_event(serve: Serve, content: object) -> None:
    answer = await (await serve(project(FLOW))).post("/track", json=content)
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


async def test_the_api_page_uses_nothing_from_elsewhere_and_no_script(serve: Serve) -> None:
    answer = await (await serve(project(FLOW), stranger=True)).get("/schema")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = dict(part.split(maxsplit=1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert not re.search(r"<script|<link|<img|<iframe| on\w+=|https?://|//\w", answer.text)


async def test_the_api_page_names_every_operation_and_schema(serve: Serve) -> None:
    client = await serve(project(FLOW), stranger=True)
    document = (await client.get("/schema/openapi.json")).json()
    page = unescape((await client.get("/schema")).text)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert f"<code>{method.upper()} {path}</code>" in page
            assert operation["summary"] in page
    for name in document["components"]["schemas"]:
        assert f"<summary>{name}</summary>" in page


@pytest.mark.parametrize("page", ["swagger", "redoc", "elements", "rapidoc", "oauth2-redirect.html"])
async def test_there_is_no_page_that_loads_scripts(serve: Serve, page: str) -> None:
    assert (await (await serve(project(FLOW))).get(f"/schema/{page}")).status_code == 404
