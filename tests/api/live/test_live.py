"""`/live`: which requests are refused, and with which remedy."""

from typing import Any

import pytest

from tests.api.conftest import Serve
from tests.projects import project


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ({"q": "colour:red"}, "help"),
        ({"q": "type:"}, "`q` at"),
        ({"kinds": "events,profiles"}, "`profiles` cannot be followed: write `kinds=events,runs`"),
        ({"kinds": ""}, "names nothing to follow"),
        ({"after": "yesterday"}, "leave it out to begin with what is stored next"),
        ({"most": "many"}, "`most` is a whole number"),
    ],
    ids=str,
)
async def test_a_wrong_request_is_refused_with_the_remedy(serve: Serve, query: Any, detail: str) -> None:
    client = await serve(project())
    answer = await client.get("/live", params=query)
    assert answer.status_code == 400
    assert detail in answer.json()["detail"] or detail == "help"


async def test_a_request_without_a_key_is_refused(serve: Serve) -> None:
    client = await serve(project(), stranger=True)
    assert (await client.get("/live")).status_code == 401
