"""Tracking semantics, on every store: the changes that a payload makes, and the answer to its sender."""

import asyncio
from typing import Any

import pytest

from engine.ports.history import events_of
from engine.ports.resolve import require_profile
from engine.ports.store import Store
from engine.project.source import Source
from engine.tracking.intake.payload import Refusal
from tests.engine.tracking.collector import Collector, holder
from tests.engine.tracking.conftest import Opener
from tests.projects import SHOP, payload, project

COUNT = """
flow: count
trigger: {event: counted}
nodes:
  add: {profile.increment: {traits.count: 1}}
"""


async def test_a_first_event_makes_a_profile_and_a_session(store: Store) -> None:
    collector = Collector(project(COUNT), store)
    answer = await collector.track(payload("counted"))
    assert answer["profile"]["id"]
    assert answer["source"] == {"consent": False}
    counts = await store.counts()
    assert (counts["profiles"], counts["sessions"], counts["events"]) == (1, 1, 1)
    session = await store.session("shop", "s-1")
    assert session is not None
    assert session.profile == answer["profile"]["id"]


async def test_without_the_debugger_the_answer_is_the_seeds(store: Store) -> None:
    answer = await Collector(project(COUNT), store).track(payload("counted"), debug=False)
    assert answer == {"profile": {"id": answer["profile"]["id"]}, "source": {"consent": False}}


async def test_the_next_event_of_a_session_meets_the_same_profile(store: Store) -> None:
    collector = Collector(project(COUNT), store)
    first = await collector.track(payload("counted"))
    second = await collector.track(payload("counted"))
    assert first["profile"]["id"] == second["profile"]["id"]
    assert (await collector.profile(first["profile"]["id"]))["traits"] == {"count": 2}


async def test_a_known_session_wins_over_the_payloads_profile(store: Store) -> None:
    collector = Collector(project(COUNT), store)
    mine = (await collector.track(payload("counted", session="mine")))["profile"]["id"]
    other = (await collector.track(payload("counted", session="other")))["profile"]["id"]
    answer = await collector.track(payload("counted", session="mine", profile={"id": other}))
    assert answer["profile"]["id"] == mine


async def test_a_new_session_goes_on_with_the_profile_that_the_payload_names(store: Store) -> None:
    collector = Collector(project(COUNT), store)
    mine = (await collector.track(payload("counted", session="yesterday")))["profile"]["id"]
    answer = await collector.track(payload("counted", session="today", profile={"id": mine}))
    assert answer["profile"]["id"] == mine


@pytest.mark.parametrize("invented", ["victim", "../../etc/passwd"])
async def test_an_unknown_profile_id_is_replaced(store: Store, invented: str) -> None:
    answer = await Collector(project(COUNT), store).track(payload("counted", profile={"id": invented}))
    assert answer["profile"]["id"] != invented
    assert await store.profile(invented) is None


async def test_an_empty_profile_reference_is_none_at_all(store: Store) -> None:
    assert (await Collector(project(COUNT), store).track(payload("counted", profile={"id": None})))["profile"]["id"]


async def test_two_first_requests_of_one_session_agree_on_the_profile(opened: Opener) -> None:
    collectors = [Collector(project(COUNT), opened()) for _ in range(2)]
    answers = await asyncio.gather(*(collector.track(payload("counted")) for collector in collectors * 4))
    assert len({answer["profile"]["id"] for answer in answers}) == 1
    assert (await collectors[0].profile(answers[0]["profile"]["id"]))["traits"] == {"count": 8}


async def test_sessions_are_named_per_source(store: Store) -> None:
    sources = (SHOP, Source(source="app", debugger=True))
    collector = Collector(project(COUNT, sources=sources), store)
    shop = await collector.track(payload("counted"))
    app = await collector.track({**payload("counted"), "source": {"id": "app"}})
    assert shop["profile"]["id"] != app["profile"]["id"]


@pytest.mark.parametrize("id", ["undefined", "00000000-0000-0000-0000-000000000000", "{{ profile.id }}"])
async def test_a_profile_id_that_is_a_placeholder_is_refused(store: Store, id: str) -> None:
    with pytest.raises(Refusal, match="leave it out") as refused:
        await Collector(project(COUNT), store).track(payload("counted", profile={"id": id}))
    assert (refused.value.kind, refused.value.at) == ("malformed", "/profile/id")


@pytest.mark.parametrize("session", [None, "undefined", "null", "[object Object]"])
async def test_a_payload_needs_a_session_that_is_no_placeholder(store: Store, session: str | None) -> None:
    with pytest.raises(Refusal) as refused:
        await Collector(project(COUNT), store).track(payload("counted", session=session))
    assert (refused.value.kind, refused.value.at) == ("malformed", "/session/id")


async def test_a_source_may_have_sessions_made(store: Store) -> None:
    source = Source(source="shop", debugger=True, sessions="made")
    answer = await Collector(project(COUNT, sources=(source,)), store).track(payload("counted", session=None))
    assert answer["debugging"]["session"]["saved"] == 1


# ---- once -----------------------------------------------------------------------------------------------------------


async def test_an_event_id_takes_effect_once(store: Store) -> None:
    collector = Collector(project(COUNT), store)
    first = await collector.track(payload({"type": "counted", "id": "e-1"}))
    again = await collector.track(payload({"type": "counted", "id": "e-1"}))
    assert again["profile"] == first["profile"]
    assert again["debugging"]["execution"]["e-1"]["disposition"] == "duplicate"
    assert (await collector.profile(first["profile"]["id"]))["traits"] == {"count": 1}
    assert (await store.counts())["events"] == 1


async def test_an_event_id_takes_effect_once_also_after_a_restart_and_in_parallel(opened: Opener) -> None:
    body = payload(*({"type": "counted", "id": f"e-{i}"} for i in range(5)))
    await asyncio.gather(*(Collector(project(COUNT), opened()).track(body) for _ in range(5)))
    store = opened()
    answer = await Collector(project(COUNT), store).track(body)
    assert (await Collector(project(COUNT), store).profile(answer["profile"]["id"]))["traits"] == {"count": 5}
    assert (await store.counts())["events"] == 5


async def test_an_event_id_takes_effect_once_on_however_many_sessions_it_is_sent(store: Store) -> None:
    collector = Collector(project(COUNT), store)
    bodies = [payload({"type": "counted", "id": "e-1"}, session=f"s-{i}") for i in range(6)]
    answers = await asyncio.gather(*map(collector.track, bodies), return_exceptions=True)
    assert (await store.counts())["events"] == 1
    assert [type(answer) for answer in answers].count(Refusal) == 5  # no sender receives another one's profile


async def test_the_same_event_id_of_another_source_is_another_event(store: Store) -> None:
    sources = (SHOP, Source(source="app", debugger=True))
    collector = Collector(project(COUNT, sources=sources), store)
    await collector.track(payload({"type": "counted", "id": "e-1"}))
    answer = await collector.track({**payload({"type": "counted", "id": "e-1"}), "source": {"id": "app"}})
    assert answer["debugging"]["execution"]["e-1"]["disposition"] == "stored"


async def test_an_id_that_stands_twice_in_a_payload_counts_once(store: Store) -> None:
    event = {"type": "counted", "id": "e-1"}
    answer = await Collector(project(COUNT), store).track(payload(event, event, {"type": "counted", "id": "e-2"}))
    execution = answer["debugging"]["execution"]
    assert {key: one["disposition"] for key, one in execution.items()} == {
        "e-1": "stored",
        "e-2": "stored",
        "#1": "duplicate",
    }


async def test_only_the_new_events_of_a_payload_are_processed(store: Store) -> None:
    collector = Collector(project(COUNT), store)
    await collector.track(payload({"type": "counted", "id": "e-1"}))
    answer = await collector.track(payload({"type": "counted", "id": "e-1"}, {"type": "counted", "id": "e-2"}))
    assert (await collector.profile(answer["profile"]["id"]))["traits"] == {"count": 2}


# ---- saving ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "event_options", "events", "sessions"),
    [
        pytest.param({}, {}, 1, 1, id="both are kept by default"),
        pytest.param({"saveEvents": False}, {}, 0, 1, id="events not"),
        pytest.param({"saveSession": False}, {}, 1, 0, id="session not"),
        pytest.param({}, {"saveEvents": False}, 0, 1, id="this event not"),
    ],
)
async def test_events_that_are_not_saved_are_processed_all_the_same(
    store: Store, options: dict[str, Any], event_options: dict[str, Any], events: int, sessions: int
) -> None:
    collector = Collector(project(COUNT), store)
    body = payload({"type": "counted", "id": "e-1", "options": event_options}, options=options)
    answer = await collector.track(body)
    debugging = answer["debugging"]
    assert (debugging["events"]["saved"], debugging["session"]["saved"], debugging["profile"]["saved"]) == (
        events,
        sessions,
        1,
    )
    counts = await store.counts()
    assert (counts["events"], counts["sessions"]) == (events, sessions)
    assert (await collector.profile(answer["profile"]["id"]))["traits"] == {"count": 1}
    again = await collector.track(body)
    assert again["debugging"]["execution"]["e-1"]["disposition"] == "duplicate"


# ---- refusing -------------------------------------------------------------------------------------------------------


async def test_a_bad_event_is_rejected_and_the_good_ones_go_on(store: Store) -> None:
    collector = Collector(project(COUNT), store)
    answer = await collector.track(payload("counted", {"typo": "counted"}, {"type": "counted", "id": 5.5}))
    assert [(e["index"], e["at"]) for e in answer["errors"]] == [(1, "/events/1/type"), (2, "/events/2/id")]
    assert answer["debugging"]["execution"]["#1"]["disposition"] == "rejected"
    kept = await store.rejected(10)
    assert {one.at_field for one in kept} == {"/events/1/type", "/events/2/id"}
    assert b'"typo"' in b"".join(bytes(one.body) for one in kept)


async def test_when_all_events_are_bad_the_payload_is_refused_and_they_are_kept(store: Store) -> None:
    collector = Collector(project(COUNT), store)
    with pytest.raises(Refusal) as refused:
        await collector.track(payload({"typo": "counted"}))
    assert refused.value.kind == "nothing-accepted"
    assert [error["index"] for error in refused.value.errors] == [0]
    assert len(await store.rejected(10)) == 1


async def test_every_received_event_ends_in_exactly_one_place(store: Store) -> None:
    collector = Collector(project(COUNT), store)
    await collector.track(payload({"type": "counted", "id": "e-1"}, "counted", {"typo": 1}))
    await collector.track(payload({"type": "counted", "id": "e-1"}, {"typo": 1}))
    await collector.track(payload("counted", {"type": "x", "options": {"saveEvents": False}}))
    with pytest.raises(Refusal):
        await collector.track(payload({"typo": 1}))
    totals = collector.pipeline.ledger.totals()
    assert totals.received == 8
    assert totals.received == totals.stored + totals.processed + totals.rejected + totals.duplicate
    assert (await store.counts())["events"] == totals.stored
    assert len(await store.rejected(10)) == totals.rejected


# ---- flows ----------------------------------------------------------------------------------------------------------


async def test_flows_run_in_the_order_of_their_names_and_see_each_others_results(store: Store) -> None:
    first = """
    flow: a-first
    trigger: {event: "*"}
    nodes:
      set: {profile.set: {traits.seen: "first"}}
    """
    second = """
    flow: b-second
    trigger: {event: "*", when: profile.traits.seen == 'first'}
    nodes:
      set: {profile.set: {traits.seen: "{{ profile.traits.seen }} then second"}}
    """
    collector = Collector(project(second, first), store)
    answer = await collector.track(payload("x"))
    assert (await collector.profile(answer["profile"]["id"]))["traits"] == {"seen": "first then second"}


async def test_a_failed_run_keeps_its_event_and_its_trace_and_drops_its_effects(store: Store) -> None:
    failing = """
    flow: failing
    trigger: {event: "*"}
    nodes:
      set:
        profile.set: {traits.half: done}
        next: child
      child:
        event.emit: {type: child}
        next: boom
      boom: {fail: "no way on"}
    """
    collector = Collector(project(failing), store)
    answer = await collector.track(payload({"type": "x", "id": "e-1"}), debug=False)
    assert (await collector.profile(answer["profile"]["id"]))["traits"] == {}
    assert (await store.counts())["events"] == 1
    (run,) = await store.runs_of("e-1")
    assert run.outcome == "failed"
    assert b"no way on" in bytes(run.trace)


async def test_an_emitted_event_runs_before_the_next_one_and_is_stored_with_its_parent(store: Store) -> None:
    emitting = """
    flow: emitting
    trigger: {event: parent}
    nodes:
      go: {event.emit: {type: child, properties: {of: "{{ event.id }}"}}}
    """
    listing = """
    flow: listing
    trigger: {event: "*"}
    nodes:
      note: {profile.append: {traits.order: "{{ event.type }}"}}
    """
    collector = Collector(project(emitting, listing), store)
    answer = await collector.track(payload({"type": "parent", "id": "e-1"}, "after"))
    profile = await collector.profile(answer["profile"]["id"])
    assert profile["traits"]["order"] == ["parent", "child", "after"]
    child = next(e for e in await store.events_of(profile["id"], 10) if e.type == "child")
    assert (child.parent, child.origin, child.properties) == ("e-1", "flow", {"of": "e-1"})


async def test_events_that_emit_themselves_stop_at_a_budget(store: Store) -> None:
    endless = """
    flow: endless
    trigger: {event: again}
    nodes:
      go: {event.emit: {type: again}}
    """
    collector = Collector(project(endless), store)
    answer = await collector.track(payload("again"))
    outcomes = [run["outcome"] for one in answer["debugging"]["execution"].values() for run in one["runs"]]
    assert outcomes.count("failed") == 1
    assert len(outcomes) < 20


async def test_system_events_run_first_where_a_flow_wants_them(store: Store) -> None:
    welcome = """
    flow: welcome
    trigger: {event: [profile-created, session-opened]}
    nodes:
      note: {profile.append: {traits.order: "{{ event.type }}/{{ event.origin }}"}}
    """
    collector = Collector(project(welcome), store)
    answer = await collector.track(payload("x"))
    await collector.track(payload("x"))
    profile = await collector.profile(answer["profile"]["id"])
    assert profile["traits"]["order"] == ["profile-created/system", "session-opened/system"]
    assert collector.pipeline.ledger.totals().received == 2


# ---- identity -------------------------------------------------------------------------------------------------------

RECOGNISE = """
flow: recognise
trigger: {event: login}
nodes:
  who: {profile.merge: {pii.email: "{{ event.properties.email }}"}}
"""


def login(session: str, email: str = "ann@example.com") -> dict[str, Any]:
    return payload({"type": "login", "properties": {"email": email}}, session=session)


async def test_a_key_joins_two_profiles_and_counters_add_up(store: Store) -> None:
    collector = Collector(project(COUNT, RECOGNISE), store)
    phone = (await collector.track(payload("counted", session="phone")))["profile"]["id"]
    laptop = (await collector.track(payload("counted", session="laptop")))["profile"]["id"]
    await collector.track(login("phone"))
    joined = (await collector.track(login("laptop", "ANN@example.com ")))["profile"]["id"]
    assert joined in {phone, laptop}
    for id in (phone, laptop):
        profile = await collector.profile(id)
        assert (profile["id"], profile["traits"], profile["pii"]) == (
            joined,
            {"count": 2},
            {"email": "ann@example.com"},
        )
        assert sorted(profile["ids"]) == sorted([phone, laptop])
    for session in ("phone", "laptop"):
        assert (await collector.track(payload("counted", session=session)))["profile"]["id"] == joined
    assert (await collector.profile(joined))["traits"] == {"count": 4}
    assert (await store.counts())["profiles"] == 1


async def test_many_merges_at_once_converge(opened: Opener) -> None:
    collectors = [Collector(project(COUNT, RECOGNISE), opened()) for _ in range(2)]
    sessions = [f"device-{i}" for i in range(6)]
    for session in sessions:
        await collectors[0].track(payload("counted", session=session))
    await asyncio.gather(*(c.track(login(session)) for session in sessions for c in collectors))
    ids = {(await collectors[0].track(payload("x", session=session)))["profile"]["id"] for session in sessions}
    assert len(ids) == 1
    profile = await collectors[1].profile(ids.pop())
    assert profile["traits"] == {"count": 6}
    assert len(profile["ids"]) == 6


async def test_a_linking_source_sees_nothing_of_parts_that_are_not_its_own(store: Store) -> None:
    respond = """
    flow: tell
    trigger: {event: "*"}
    nodes:
      say: {respond: {secret: "{{ profile.traits.secret | default('none') }}"}}
    """
    keep = """
    flow: keep
    trigger: {event: secret}
    nodes:
      set: {profile.set: {traits.secret: "{{ event.properties.value }}"}}
    """
    linking = Source(source="shop", identify="link", debugger=True, profiles=True)
    collector = Collector(project(RECOGNISE, respond, keep, sources=(linking,)), store)
    await collector.track(login("victim"))
    await collector.track(payload({"type": "secret", "properties": {"value": "s3cret"}}, session="victim"))
    stolen = await collector.track({**login("attacker"), "options": {"profile": True}})
    after = await collector.track(payload("x", session="attacker", options={"profile": True}))
    assert "s3cret" not in str(stolen) + str(after)


async def test_a_source_may_refuse_to_identify(store: Store) -> None:
    refusing = Source(source="shop", identify="refuse", debugger=True)
    collector = Collector(project(RECOGNISE, sources=(refusing,)), store)
    first = await collector.track(login("one"))
    second = await collector.track(login("two"))
    assert first["profile"]["id"] != second["profile"]["id"]


# ---- segments -------------------------------------------------------------------------------------------------------


async def test_conditional_segments_are_entered_and_left(store: Store) -> None:
    setting = """
    flow: setting
    trigger: {event: set}
    nodes:
      set: {profile.set: {traits.revenue: "{{ event.properties.revenue }}"}}
    """
    collector = Collector(project(setting, segments={"rich": "profile.traits.revenue > 100"}), store)
    for revenue, segments in ((200, ["rich"]), (50, []), (101, ["rich"])):
        answer = await collector.track(payload({"type": "set", "properties": {"revenue": revenue}}))
        assert (await collector.profile(answer["profile"]["id"]))["segments"] == segments
        assert answer["debugging"]["segmentation"]["ids"] == segments


async def test_two_engines_that_cross_a_threshold_from_stale_reads_decide_once(opened: Opener) -> None:
    threshold = """
    flow: threshold
    trigger: {event: order}
    nodes:
      add:
        profile.increment: {traits.revenue: "{{ event.properties.total }}"}
        next: big
      big:
        if: profile.traits.revenue >= 500 and 'vip' not in profile.segments
        next: {then: vip}
      vip:
        segment.add: vip
        next: tell
      tell: {event.emit: {type: became-vip}}
    """
    engines = [Collector(project(threshold, segments={"vip": None}), opened()) for _ in range(2)]
    order = lambda total: payload({"type": "order", "properties": {"total": total}})  # noqa: E731
    await engines[0].track(order(0))
    await engines[1].track(order(0))
    answers = await asyncio.gather(
        *(engines[i % 2].track(order(total)) for i, total in enumerate([300, 150, 300, 150]))
    )
    profile = await engines[0].profile(answers[0]["profile"]["id"])
    assert profile["traits"] == {"revenue": 900}
    assert profile["segments"] == ["vip"]
    events = await opened().events_of(profile["id"], 50)
    assert [event.type for event in events].count("became-vip") == 1


async def test_64_clients_count_to_exactly_10_000_on_one_profile(opened: Opener) -> None:
    collectors = [Collector(project(COUNT), opened()) for _ in range(2)]
    numbers = iter(range(10_000))

    async def client(collector: Collector) -> None:
        for i in numbers:
            await collector.track(payload({"type": "counted", "id": f"e-{i}"}), debug=False)

    await asyncio.gather(*(client(collectors[0]) for _ in range(64)))
    answer = await collectors[1].track(payload("x"))
    assert (await collectors[1].profile(answer["profile"]["id"]))["traits"] == {"count": 10_000}


# ---- profile-less ---------------------------------------------------------------------------------------------------

COUPON = """
flow: coupon
trigger: {event: coupon}
nodes:
  who:
    profile.attach: {key: {pii.email: "{{ event.properties.email }}"}, create: true}
    next: {attached: count}
  count: {profile.increment: {traits.coupons: 1}}
"""


async def test_a_profile_less_event_makes_a_session_but_no_profile(store: Store) -> None:
    answer = await Collector(project(COUNT), store).track(payload("counted"), profile_less=True)
    assert answer["profile"] == {"id": None}
    counts = await store.counts()
    assert (counts["profiles"], counts["sessions"], counts["events"]) == (0, 1, 1)
    runs = next(iter(answer["debugging"]["execution"].values()))["runs"]
    assert runs[0]["outcome"] == "failed"  # `profile.increment` without a profile


async def test_a_profile_less_event_may_be_given_a_profile_on_the_way(store: Store) -> None:
    collector = Collector(project(COUPON), store)
    events = [{"type": "coupon", "properties": {"email": "ann@example.com"}}] * 2
    answer = await collector.track(payload(*events), profile_less=True)
    assert answer["profile"] == {"id": None}
    assert (await store.counts())["profiles"] == 1
    id = await holder(store, "proof", "pii.email", "ann@example.com")
    assert id is not None
    profile = await collector.profile(id)
    assert profile["traits"] == {"coupons": 2}
    events = await events_of(store, await require_profile(store, id), 10)
    assert sorted(str(event.profile) for event in events) == sorted(profile["ids"])


async def test_profile_required_without_a_profile_is_filtered(store: Store) -> None:
    required = COUNT.replace("nodes:", "profile: required\nnodes:")
    answer = await Collector(project(required), store).track(payload("counted"), profile_less=True)
    (run,) = next(iter(answer["debugging"]["execution"].values()))["runs"]
    assert (run["outcome"], run["reason"]["values"]) == ("filtered", {"profile": "no profile"})


# ---- the debugger ---------------------------------------------------------------------------------------------------


async def test_the_debugger_says_which_condition_failed_and_with_what_values(store: Store) -> None:
    orders = """
    flow: orders
    trigger: {event: order-*, when: event.properties.total > 100}
    nodes:
      add: {profile.increment: {traits.orders: 1}}
    """
    elsewhere = """
    flow: elsewhere
    trigger: {event: order-*, source: app}
    nodes:
      add: {profile.increment: {traits.orders: 1}}
    """
    sources = (SHOP, Source(source="app"))
    collector = Collector(project(orders, elsewhere, sources=sources), store)
    answer = await collector.track(payload({"type": "order-paid", "id": "e-1", "properties": {"total": 5}}))
    runs = {run["flow"]: run for run in answer["debugging"]["execution"]["e-1"]["runs"]}
    assert runs["orders"]["outcome"] == runs["elsewhere"]["outcome"] == "not-triggered"
    assert runs["orders"]["reason"] == {
        "expression": "event.properties.total > 100",
        "values": {"event.properties.total": 5},
        "result": False,
    }
    assert runs["elsewhere"]["reason"]["values"] == {"source.id": "shop"}


async def test_flows_of_other_types_are_listed_when_none_matched_else_counted(store: Store) -> None:
    other = COUNT.replace("flow: count", "flow: other").replace("counted", "something-else")
    collector = Collector(project(COUNT, other), store)
    none = await collector.track(payload({"type": "order", "id": "e-1"}))
    assert [run["flow"] for run in none["debugging"]["execution"]["e-1"]["runs"]] == ["count", "other"]
    one = await collector.track(payload({"type": "counted", "id": "e-2"}))
    assert [run.get("flow") for run in one["debugging"]["execution"]["e-2"]["runs"]] == ["count", None]
    everything = await collector.track(payload({"type": "counted", "id": "e-3"}), debug="all")
    assert [run.get("flow") for run in everything["debugging"]["execution"]["e-3"]["runs"]] == ["count", "other"]


async def test_a_source_that_forbids_the_debugger_reports_that(store: Store) -> None:
    collector = Collector(project(COUNT, sources=(Source(source="shop"),)), store)
    answer = await collector.track(payload("counted"))
    assert "debugging" not in answer


async def test_the_whole_profile_is_answered_where_the_source_may_see_it(store: Store) -> None:
    collector = Collector(project(COUNT), store)
    answer = await collector.track(payload("counted", options={"profile": True}))
    assert answer["profile"]["traits"] == {"count": 1}
    closed = Collector(project(COUNT, sources=(Source(source="shop", debugger=True),)), store)
    assert set((await closed.track(payload("counted", options={"profile": True})))["profile"]) == {"id"}
