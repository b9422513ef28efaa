"""Undoing a link and forgetting a person in the console: each asks first, and says what will be."""

from typing import Any

import pytest

from tests.api.conftest import Serve
from tests.api.console.pages import read
from tests.projects import payload, project

LOGIN = """
flow: login
trigger: {event: login}
nodes:
  who: {profile.merge: {pii.email: "{{ event.properties.email }}"}}
"""


async def merged(serve: Serve) -> tuple[Any, dict[str, Any]]:
    """A client of a server where two sessions are one profile; and the profile with its why."""
    client = await serve(project(LOGIN))
    for session in ("phone", "laptop"):
        event = {"type": "login", "properties": {"email": "ann@example.com"}}
        answer = await client.post("/track", json=payload(event, session=session))
    return client, (await client.get(f"/profiles/{answer.json()['profile']['id']}?why=true")).json()


async def test_a_link_is_undone_after_a_question(serve: Serve) -> None:
    client, profile = await merged(serve)
    page = read(await client.get(f"/console/profiles/{profile['id']}"))
    joining = next(link["link"] for link in profile["why"]["links"] if "held" in link)
    address = next(link for link in page.links() if link.endswith(f"unmerge?link={joining}"))
    asked = read(await client.get(address))
    assert "Undo this link: ann@example.com becomes 2 profiles?" in asked.text
    assert (await client.get(f"/profiles/{profile['id']}")).json()["ids"] == profile["ids"]
    form = {"link": joining, "reason": "two people"}
    answer = await client.post(address.partition("?")[0], data=form, follow_redirects=False)
    assert answer.status_code == 303
    assert "a link was undone" in read(await client.get(answer.headers["location"])).text
    assert len((await client.get(f"/profiles/{profile['id']}")).json()["ids"]) == 1
    there = answer.headers["location"].partition("?")[0]
    assert "This link is undone already" in read(await client.get(f"{there}/unmerge?link={joining}")).text
    audit = read(await client.get("/console/audit"))
    assert "unmerge a profile" in audit.text
    assert "two people" in audit.text


@pytest.mark.parametrize(("address", "status"), [("?link=absent", 404), ("", 400), ("?link=abcdef0", 404)])
async def test_a_link_that_is_not_there_is_answered_in_words(serve: Serve, address: str, status: int) -> None:
    client, profile = await merged(serve)
    read(await client.get(f"/console/profiles/{profile['id']}/unmerge{address}"), status)
    read(await client.get(f"/console/profiles/absent/unmerge{address}"), 404)


async def test_a_person_is_forgotten_only_by_the_first_signs_of_the_id(serve: Serve) -> None:
    client, profile = await merged(serve)
    address = f"/console/profiles/{profile['id']}/forget"
    assert "Forget ann@example.com for good?" in read(await client.get(address)).text
    wrong = read(await client.post(address, data={"signs": "000000"}), 422)
    assert "Nothing was erased." in wrong.text
    done = read(await client.post(address, data={"signs": profile["id"][:6]}))
    assert "The person is being forgotten" in done.text
    (forgetting,) = (await client.get("/forgettings")).json()
    assert forgetting["forgetting"] in done.text
    audit = read(await client.get("/console/audit"))
    assert "forget a profile" in audit.text
    assert profile["id"] not in audit.text
