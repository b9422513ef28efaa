"""Claims over HTTP: the ids that only claims join, and the profiles that claim what another one has proven."""

import io
import json
import zipfile
from typing import Any

from effects.clock import ManualClock
from engine.project.source import Source
from tests.api.conftest import Serve
from tests.api.test_forgetting import complete
from tests.projects import SHOP, payload, project

LOGIN = """
flow: login
trigger: {event: login}
nodes:
  who: {profile.merge: {pii.email: "{{ event.properties.email }}"}}
"""
PAGES = Source(source="pages", identify="link", profiles=True)


async def claimed_and_proven(serve: Serve, **more: Any) -> tuple[Any, list[str], str]:
    """Return a client, two ids that claims of an address join, the canonical one first, and one that has proven it."""
    client = await serve(project(LOGIN, sources=(SHOP, PAGES)), **more)
    ids = []
    for source, session in (("pages", "s-1"), ("pages", "s-2"), ("shop", "ann's")):
        event = {"type": "login", "properties": {"email": "ann@example.com"}}
        answer = await client.post("/track", json=payload(event, source={"id": source}, session=session))
        ids.append(answer.json()["profile"]["id"])
    first = (await client.get(f"/profiles/{ids[0]}")).json()["id"]
    return client, sorted(ids[:2], key=lambda each: each != first), ids[2]


async def test_a_joint_profile_lists_the_ids_that_only_claims_join_with_the_one_asked_for(serve: Serve) -> None:
    client, (one, two), proven = await claimed_and_proven(serve)
    for id, other in ((one, two), (two, one)):
        shown = (await client.get(f"/profiles/{id}")).json()
        assert (shown["id"], sorted(shown["ids"]), shown["by_claims"]) == (one, sorted([one, two]), [other])
    assert "by_claims" not in (await client.get(f"/profiles/{proven}")).json()


async def test_search_and_archives_list_them_too(serve: Serve) -> None:
    client, (one, two), proven = await claimed_and_proven(serve)
    found = {item["id"]: item for item in (await client.get("/search/profiles")).json()["items"]}
    assert found.keys() == {one, proven}
    assert (found[one]["by_claims"], "by_claims" in found[proven]) == ([two], False)
    archive = await client.get(f"/profiles/{two}/export")
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        exported = json.loads(opened.read("profile.json"))
    assert exported == (await client.get(f"/profiles/{two}?why=true")).json()
    assert exported["by_claims"] == [one]


async def test_the_profiles_that_claim_a_proven_key_are_returned_on_request(serve: Serve) -> None:
    client, (one, two), proven = await claimed_and_proven(serve)
    shown = (await client.get(f"/profiles/{proven}?claims=true")).json()
    assert shown["claims"] == [{"key": "pii.email", "profile": one, "ids": [one, two]}]
    assert "claims" not in (await client.get(f"/profiles/{proven}")).json()
    assert (await client.get(f"/profiles/{one}?claims=true")).json()["claims"] == []
    wrong = await client.get(f"/profiles/{one}?claims=yes")
    assert (wrong.status_code, wrong.json()["detail"]) == (400, "`claims`: Expected `bool`, got `str`")


async def test_why_says_how_each_link_was_made_and_why_it_ceased(serve: Serve) -> None:
    client, ids, _ = await claimed_and_proven(serve)
    body = payload({"type": "login", "properties": {"email": "bo@example.com"}}, session="till", profile={"id": ids[1]})
    await client.post("/track", json=body)
    links = {link["by"]: link for link in (await client.get(f"/profiles/{ids[1]}?why=true")).json()["why"]["links"]}
    assert (links["proof"]["state"], links["claim"]["state"]) == ("holds", "ceased")
    assert links["claim"]["ceased_by"] == links["proof"]["link"]
    assert links["claim"]["ceased"] == links["proof"]["at"]
    assert links["claim"]["key"] == links["proof"]["key"] == "pii.email"


async def test_the_answer_to_a_forgetting_names_the_profiles_that_claim_its_keys_and_stay(serve: Serve) -> None:
    client, (one, two), proven = await claimed_and_proven(serve)
    begun = (await client.post(f"/profiles/{proven}/forget", json={})).json()
    assert begun["claims"] == [{"key": "pii.email", "profile": one, "ids": [one, two]}]
    assert not {"by_claims", "claims_erased"} & begun.keys()
    assert "claims" not in (await client.get(f"/forgettings/{begun['forgetting']}")).json()
    assert (await client.get(f"/profiles/{two}")).status_code == 200


async def test_a_forgetting_with_claims_erases_them(serve: Serve) -> None:
    clock = ManualClock()
    client, (one, two), proven = await claimed_and_proven(serve, clock=clock)
    begun = (await client.post(f"/profiles/{proven}/forget?claims=true", json={})).json()
    assert begun["claims_erased"] == [{"key": "pii.email", "profile": one, "ids": [one, two]}]
    assert (await complete(client, begun, clock))["erased"]["events"] == 3
    for id in (one, two, proven):
        assert (await client.get(f"/profiles/{id}")).status_code == 404


async def test_the_answer_to_a_forgetting_lists_the_ids_that_only_claims_had_joined(serve: Serve) -> None:
    client, (one, two), _ = await claimed_and_proven(serve)
    begun = (await client.post(f"/profiles/{two}/forget", json={})).json()
    assert (begun["by_claims"], "claims" in begun) == ([one], False)
