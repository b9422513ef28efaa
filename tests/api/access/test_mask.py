"""A viewer sees none of the personal data that a project's documents have, in no kind of document and no answer."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from litestar.routes import HTTPRoute

from api.access.mask import Mask
from api.access.option import access_of
from api.access.personal import Personal
from engine.project.personal import code_of, masked, personal_paths, without_addresses
from engine.project.source import Target
from engine.schema.schema import DeclaredField, Schema
from engine.schema.value_type import TYPES
from tests.api.access.console import Console, console_of
from tests.api.conftest import Serve
from tests.projects import payload, project

FLOW = """
flow: greet
trigger: {event: ordered}
nodes:
  recognise:
    profile.merge: {pii.email: "{{ event.properties.contact }}", traits.member_no: "{{ event.properties.card }}"}
    next: keep
  keep:
    profile.set: {pii.name: "{{ event.properties.buyer.called }}", traits.tier: "{{ event.properties.tier }}"}
    next: note
  note:
    profile.set: {traits.greeting: "Hello {{ profile.pii.name }}, of {{ event.properties.tier }}"}
    next: say
  say: {log: {level: warning, message: "a mail to {{ profile.pii.name | upper }} at {{ event.properties.contact }}"}}
"""
NAME, MAIL, CARD = "Annabel Quill", "annabel@quill.example", "MEMBER-7731"
PLANTED = (NAME, "Annabel", "Quill", MAIL, "quill.example", CARD, "203.0.113.77", "Mozilla", "+49 170 5551234")
EVENT: dict[str, Any] = {
    "id": "o-1",
    "type": "ordered",
    "properties": {
        "contact": MAIL,
        "card": CARD,
        "buyer": {"called": NAME},
        "tier": "gold",
        "total": 12.5,
        "phone": 491705551234,
        "note": "call +49 170 5551234",
    },
    "context": {"ip": "203.0.113.77", "userAgent": "Mozilla/5.0 (X11) Gecko", "page": f"https://s.example/?m={MAIL}"},
}


SCHEMA = Schema(collection="ordered", fields={"tier": DeclaredField(type=TYPES["STRING"])})
SEGMENTS = {"greeted": "profile.traits.greeting is defined and profile.pii.name != 'x'"}
SCHEDULED = """
flow: nightly
trigger: {schedule: "0 3 * * *"}
nodes:
  note: {log: "done"}
"""
SENDS = """
flow: sends
trigger: {event: ordered}
nodes:
  post:
    deliver.http:
      target: crm
      path: "/people/{{ event.properties.card }}"
      body: {who: "{{ event.properties.buyer.called }}", mail: "{{ event.properties.contact }}"}
"""
TARGETS = {"crm": Target(url="http://127.0.0.1:9/", private=True)}


def the_project() -> Any:
    return project(FLOW, SCHEDULED, SENDS, schemas=(SCHEMA,), segments=SEGMENTS, targets=TARGETS)


def test_paths_that_a_flow_writes_to_personal_ones_are_personal() -> None:
    paths = personal_paths(the_project())
    for path in (("properties", "contact"), ("properties", "card"), ("properties", "buyer", "called")):
        assert paths.in_event(path)
    assert not paths.in_event(("properties", "tier"))
    assert paths.in_profile(("traits", "member_no"))
    assert paths.in_profile(("pii", "anything"))
    assert not paths.in_profile(("traits", "tier"))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("ann@example.com", "a•••@e•••.com"),
        ("ann@mail.example.co.uk", "a•••@m•••.uk"),
        ("ann%40example.com", "a•••@e•••.com"),
        ("Annabel", "A•••"),
        ("Ann", "•••"),
        ("<b>bold</b>", "•••"),
        (42, "•••"),
        (True, True),
        (None, None),
        ("", "•••"),
    ],
)
def test_a_value_is_masked(value: Any, shown: Any) -> None:
    assert masked(value) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("`ann@example.com` at `pii.email` is refused", "`a•••@e•••.com` at `pii.email` is refused"),
        ("GET http://crm/customers/ann%40example.com", "GET http://crm/customers/a•••@e•••.com"),
        ("from 203.0.113.77:443", "from •••:443"),
        ("from 2001:db8:0:1::7", "from •••"),
        ("call +49 (170) 555-1234 now", "call ••• now"),
        ("by Mozilla/5.0 (X11; Linux) Gecko", "by •••"),
        ("at 12:30:15 on 2024-05-01T12:30:15.000Z", "at 12:30:15 on 2024-05-01T12:30:15.000Z"),
        ("version 1.2.3 of 1714566615000", "version 1.2.3 of 1714566615000"),
    ],
)
def test_addresses_are_masked_in_texts(text: str, shown: str) -> None:
    assert without_addresses(text) == shown


def test_a_code_tells_values_apart_and_needs_the_secret() -> None:
    assert code_of("a", b"one") == code_of("a", b"one")
    assert len({code_of("a", b"one"), code_of("b", b"one"), code_of("a", b"two")}) == 3
    mask = Mask(personal_paths(the_project()), b"secret", shows=False)
    shown = mask.whole(["ann@example.com", "abe@ebay.com", "x"])
    assert shown[0] != shown[1]
    assert [each.split(" ")[0] for each in shown] == ["a•••@e•••.com", "a•••@e•••.com", "•••"]


def test_a_personal_value_prints_masked_in_every_way() -> None:
    from api.console.environment import environment

    value = Personal("<ann>@example.com")
    ways = "{{ v }}|{{ v ~ '' }}|{{ v | string }}|{{ [v] }}|{{ '%s' % v }}|{{ v | upper }}"
    printed = environment().from_string(ways)
    assert "ann" not in printed.render(v=value).lower()
    assert str(Personal("<b>", shows=True)) == "<b>"
    assert environment().from_string("{{ v }}").render(v=Personal("<b>", shows=True)) == "&lt;b&gt;"


def test_a_long_text_is_masked_in_a_time_that_grows_with_its_length() -> None:
    import time

    for hostile in ("a" * 200_000, "a@" * 100_000, "1." * 100_000, "+1 " * 60_000, "a/1 (" * 40_000, "%40" * 60_000):
        begun = time.perf_counter()
        without_addresses(hostile)
        assert time.perf_counter() - begun < 5


PATHS = (  # beside all routes whose parameters are ids of the planted documents
    "/search/{kind}",
    "/profiles/{profile}?why=true&claims=true",
)


@pytest.fixture
async def console(serve: Serve) -> Console:
    return await console_of(serve, the_project())


async def planted(console: Console) -> dict[str, str]:
    """Send an event with personal data, and a rejected one. Returns the ids of the profile and the run."""
    rejected = {"id": "r-1", "type": 7, "properties": {"contact": MAIL, "who": NAME}}
    body = payload(EVENT, rejected, options={"debugger": True})
    answer = (await console.client.post("/track", json=body)).json()
    runs = [one async for one in _all(console, "runs")]
    found = {}
    for kind in ("deliveries", "rejected"):
        found[kind] = [one async for one in _all(console, kind)][-1].id
    return {"profile": answer["profile"]["id"], "run": runs[0].id, **found}


async def _all(console: Console, kind: str) -> Any:
    from engine.ports.kinds import SEARCHABLE
    from engine.search.query import Query

    for record in (await console.store.search(Query(SEARCHABLE[kind]), 100)).items:
        yield record


def pages(console: Console, ids: dict[str, str]) -> Iterator[str]:
    """Yield the address of every route that a viewer may read; those of one document lead to the planted one."""
    named = {"runs": ids["run"], "profiles": ids["profile"], "events": "o-1", "flows": "greet", "schemas": "ordered"}
    named |= {"segments": f"greeted?profile={ids['profile']}", "tasks": "nightly"}
    named |= {kind: ids[kind] for kind in ("deliveries", "rejected")}
    for route in console.client.app.routes:
        if isinstance(route, HTTPRoute) and "GET" in route.methods and "/search/" not in route.path:
            (handler, _) = route.route_handler_map["GET"]
            root = route.path.removeprefix("/console").split("/")[1:2]
            if access_of(handler) == "viewer" and ("{" not in route.path or root[0] in named):
                path = re.sub(r"{segment[^}]*}", "greeted", route.path)
                yield re.sub(r"{[^}]*}", named.get("".join(root), ""), path)


async def answers(console: Console, key: str) -> dict[str, str]:
    """Return the text of every answer that has data of the planted event, by path."""
    ids = await planted(console)
    paths = [path.format(kind="{kind}", **ids) for path in PATHS]
    paths = [path.replace("{kind}", kind) for path in paths for kind in (KINDS if "{kind}" in path else ("",))]
    paths += list(pages(console, ids))
    found = {}
    for path in paths:
        answer = await console.client.get(path, headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 200, (path, answer.text)
        found[path] = answer.text
    return found


KINDS = ("events", "profiles", "sessions", "runs", "rejected", "deliveries", "waits", "arrivals")


async def test_a_viewer_sees_no_personal_data_in_any_answer(console: Console) -> None:
    key = await console.directory.keys.add("reader", "viewer", "ann", personal=False)
    for path, text in (await answers(console, key)).items():
        for planted_text in PLANTED:
            assert planted_text.lower() not in text.lower(), (path, planted_text)


async def test_an_operator_sees_it_only_with_a_key_that_was_made_for_it(console: Console) -> None:
    key = await console.directory.keys.add("crm", "operator", "ann", personal=True)
    found = await answers(console, key)
    assert MAIL in found["/events/o-1"]
    masked_key = await console.directory.keys.add("ops", "operator", "ann", personal=False)
    answer = await console.client.get("/events/o-1", headers={"authorization": f"Bearer {masked_key}"})
    assert MAIL not in answer.text
    assert '"gold"' in answer.text
    assert "12.5" in answer.text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("properties.contact:annabel@quill.example", 200),
        ("properties.contact:anna*", 403),
        ("properties.contact:ann* OR type:x", 403),
        ("NOT properties.buyer.called:A*", 403),
        ("properties.phone:>49", 403),
        ("properties:ann*", 403),
        ("ann*", 403),
        ("properties.tier:g*", 200),
        ("type:order* received:>now-1d", 200),
    ],
)
async def test_a_viewer_cannot_guess_masked_values_by_their_beginnings(
    console: Console, query: str, status: int
) -> None:
    key = await console.directory.keys.add("reader", "viewer", "ann", personal=False)
    answer = await console.client.get("/search/events", params={"q": query}, headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == status, answer.text


async def test_an_export_takes_the_role_and_the_sight_of_personal_data(console: Console) -> None:
    ids = await planted(console)
    for role, personal, status in (("operator", True, 403), ("admin", False, 403), ("admin", True, 200)):
        key = await console.directory.keys.add(f"{role}-{personal}".lower(), role, "ann", personal=personal)
        answer = await console.client.get(
            f"/profiles/{ids['profile']}/export", headers={"authorization": f"Bearer {key}"}
        )
        assert answer.status_code == status
