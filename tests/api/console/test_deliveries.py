"""The pages of deliveries: by target, then those that gave up or wait; and what operators do with them."""

from typing import Any

import pytest

from engine.flow.message import HttpMessage
from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import DeliveryAttempt, StoredDelivery
from engine.ports.records import RecordWrite, Unit
from engine.project.source import Target
from tests.api.conftest import Serve
from tests.api.console.pages import CONTROLS, HOSTILE, IMAGE, read
from tests.projects import project

TARGETS = {"crm": Target(url="http://127.0.0.1:9/", private=True)}
LATER = 99_999_999_999_999


def delivery(id: str, state: Any = "dead", target: str = "crm", **more: Any) -> StoredDelivery:
    """A delivery that was refused once."""
    known: dict[str, Any] = {
        "queue": f"{target}/0",
        "at": 1_796_000_000_000,
        "source": "shop",
        "event": "o-1",
        "flow": "greet",
        "node": "post",
        "message": HttpMessage(path="/orders", body={"member": "ann@example.com"}),
        "due": LATER,
        "attempts": 3,
        "last": DeliveryAttempt(at=1_796_000_000_500, status=401, reason="the key was refused", took_ms=12),
    }
    return StoredDelivery(id=id, target=target, state=state, **{**known, **more})


async def served(serve: Serve, *deliveries: StoredDelivery) -> Any:
    """A client of a server that has these deliveries."""
    client = await serve(project(targets=TARGETS))
    store = client.app.state.tracker.pipeline.store
    await store.commit(Unit(changes=tuple([RecordWrite(DELIVERIES, each, 0) for each in deliveries])))
    return client


async def states(client: Any) -> dict[str, str]:
    """The states of all deliveries."""
    return {each["id"]: each["state"] for each in (await client.get("/deliveries")).json()["items"]}


async def test_the_page_begins_with_the_targets(serve: Serve) -> None:
    client = await served(serve, delivery("d-1"), delivery("d-2"), delivery("w-1", "waiting", "shop"))
    page = read(await client.get("/console/deliveries"))
    assert "2 deliveries gave up, 1 is waiting" in page.text
    assert "crm refuses: 401" in page.text
    assert page.text.index("Targets") < page.text.index("Gave up") < page.text.index("Waiting")
    assert "401, the key was refused" in page.text


async def test_without_deliveries_the_page_says_so(serve: Serve) -> None:
    client = await served(serve)
    page = read(await client.get("/console/deliveries"))
    assert "Nothing gave up, and nothing waits" in page.text
    assert "crm no delivery of late" in page.text
    empty = await serve(project())
    assert "The project has no target" in read(await empty.get("/console/deliveries")).text


@pytest.mark.parametrize(
    ("address", "count"),
    [("?state=dead", 1), ("?q=target:shop", 2), ("?q=target:shop&state=dead", 0), ("?q=flow:absent", 0)],
)
async def test_a_query_finds_deliveries(serve: Serve, address: str, count: int) -> None:
    client = await served(
        serve, delivery("d-1"), delivery("w-1", "waiting", "shop"), delivery("s-1", "sent", "shop", ended=5)
    )
    page = read(await client.get(f"/console/deliveries{address}"))
    assert sum(link.startswith("/console/deliveries/") for link in page.links()) == count
    assert ("No delivery is found by this" in page.text) == (count == 0)


async def test_one_delivery_shows_its_message(serve: Serve) -> None:
    client = await served(serve, delivery("d-1"))
    page = read(await client.get("/console/deliveries/d-1"))
    assert "POST crm /orders gave up" in page.text
    assert '"member": "ann@example.com"' in page.text
    assert "/console/deliveries/change?what=retry&id=d-1" in page.links()


async def test_dead_deliveries_are_sent_again_after_a_question(serve: Serve) -> None:
    client = await served(serve, delivery("d-1"), delivery("d-2"), delivery("d-3"))
    asked = read(await client.get("/console/deliveries/change?what=retry&id=d-1&id=d-2"))
    assert "Send again: 2 deliveries?" in asked.text
    assert await states(client) == {"d-1": "dead", "d-2": "dead", "d-3": "dead"}
    answer = await client.post("/console/deliveries/retry", data={"id": ["d-1", "d-2"]}, follow_redirects=False)
    assert answer.status_code == 303
    assert "2 deliveries changed." in read(await client.get(answer.headers["location"])).text
    assert (await states(client))["d-3"] == "dead"


async def test_all_deliveries_of_a_target_are_sent_again(serve: Serve) -> None:
    client = await served(serve, delivery("d-1"), delivery("d-2"), delivery("d-3", target="shop"))
    answer = await client.post("/console/deliveries/retry", data={"target": "crm"}, follow_redirects=False)
    assert "changed=2&skipped=0" in answer.headers["location"]
    assert (await states(client))["d-3"] == "dead"


async def test_waiting_deliveries_are_let_go(serve: Serve) -> None:
    client = await served(serve, delivery("w-1", "waiting"), delivery("d-1"))
    answer = await client.post("/console/deliveries/drop", data={"id": ["w-1", "d-1"]}, follow_redirects=False)
    page = read(await client.get(answer.headers["location"]))
    assert "1 delivery changed; 1 had moved on meanwhile and was left alone." in page.text
    assert await states(client) == {"w-1": "dropped", "d-1": "dead"}


async def test_what_an_operator_did_is_in_the_audit_log(serve: Serve) -> None:
    client = await served(serve, delivery("d-1"))
    await client.post("/console/deliveries/retry", data={"id": "d-1", "reason": "the key is mended"})
    page = read(await client.get("/console/audit"))
    assert "retry deliveries" in page.text
    assert "the key is mended" in page.text


async def test_a_change_that_has_nothing_to_do_says_so(serve: Serve) -> None:
    client = await served(serve, delivery("w-1", "waiting"))
    page = read(await client.get("/console/deliveries/change?what=retry&id=w-1&id=absent"))
    assert "There is nothing to do" in page.text


@pytest.mark.parametrize("address", ["change?what=burn", "absent"])
async def test_an_unknown_name_is_answered_in_words(serve: Serve, address: str) -> None:
    client = await served(serve)
    read(await client.get(f"/console/deliveries/{address}"), 404)


async def test_hostile_text_stays_text(serve: Serve) -> None:
    last = DeliveryAttempt(at=5, status=500, reason=f"{HOSTILE}{CONTROLS}")
    message = HttpMessage(path=f"/{IMAGE}", body={IMAGE: [HOSTILE, CONTROLS]})
    one = delivery("d-1", target=IMAGE, flow=IMAGE, node=IMAGE, event=IMAGE, message=message, last=last)
    client = await served(serve, one, delivery("w-1", "waiting", IMAGE, message=message, last=last))
    for address in ("", "?state=dead", "/d-1", "/change?what=retry&id=d-1"):
        assert IMAGE in read(await client.get(f"/console/deliveries{address}")).text
