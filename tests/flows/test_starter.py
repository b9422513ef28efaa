"""The starter project: it has no errors, and its flow tests and its sample run every node of every flow."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct, to_builtins

from cli.demo.sample import EVENTS, SEGMENT_CHANGES, STORED, Exchange, SegmentChange, segment_changes
from cli.demo.services import COUPONS, FAILING, FAILING_ONCE, PRODUCTS, TIERS
from cli.testing.run_case import run_case
from cli.testing.step_runner import StepRunner, traced_project
from effects.clock import SystemClock
from effects.ids import new_id
from effects.scripted import ScriptedPerformer
from effects.virtual_time_loop import VirtualTimeLoop
from engine.flow.ask import HttpReply, NoAnswer, Reply
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.project.project import Project
from engine.tracking.intake.collect import Body, collect_intake
from engine.tracking.intake.payload import Intake, read_track
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.tracker import Tracker
from flows.cases import load_cases
from flows.files import TESTS
from flows.project import LoadedProject, load_project
from nodes import builtin
from storage.memory import MemoryStore

STARTER = Path(__file__).parents[2] / "flows" / "starter"
FLOWS = sorted(path.stem for path in (STARTER / "flows").glob("*.yaml") if not path.name.endswith(TESTS))


AFTER_TIME = {  # nodes that only run once time has passed
    "abandoned-cart": {"bought", "remind"},
    "nightly-prices": {"since", "fetch", "rows", "keep", "unknown"},
    "price-changed": {"remember"},
    "regulars": {"forget", "ask_back"},
}
Played = dict[str, tuple[list[str], set[tuple[str, str]]]]  # by case: failures, and the (flow, node) that ran


class Outcome(Struct):
    """The results of sending the sample."""

    runs: list[dict[str, Any]]
    events: dict[str, int]
    stored: dict[str, int]
    profiles: dict[str, dict[str, Any]]  # by visitor
    segment_changes: list[SegmentChange]


def load() -> LoadedProject:
    return load_project(STARTER, builtin(), {})


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return asyncio.run(send_sample(load().project))


async def send_sample(project: Project) -> Outcome:
    store = MemoryStore()
    tracker = Tracker(Pipeline(project, store, systems(), SystemClock(), new_id))
    await tracker.start()
    ids: dict[str, str] = {}
    runs: list[dict[str, Any]] = []
    exchanges: list[Exchange] = []
    for text in (STARTER / "events" / "sample.jsonl").read_text().splitlines():
        line = json.loads(text)
        intake = read(line, ids)
        answer = (await tracker.track(intake, project.sources[intake.source])).body
        exchanges.append(Exchange(line["to"], line["visitor"], "", 200, answer))
        if answer["profile"]["id"] is not None:
            ids[line["visitor"]] = answer["profile"]["id"]
        for event in answer.get("debugging", {"execution": {}})["execution"].values():
            runs += event["runs"]
    profiles = {}
    for visitor, id in ids.items():
        profile = await store.profile(id)
        assert profile is not None
        profiles[visitor] = profile_view(profile, fold(profile, project.settings.fields))
    changes = [change for of_request in segment_changes(exchanges) for change in of_request]
    totals = to_builtins(tracker.pipeline.ledger.totals())
    return Outcome(runs, totals, to_builtins(await store.counts()), profiles, changes)


@pytest.fixture(scope="module")
def played() -> Played:
    """For each case of the flow tests its failures, and which nodes of which flows ran."""
    loaded = load()
    project = traced_project(loaded.project)
    results: Played = {}

    async def all_of_them() -> None:
        for cases in load_cases(STARTER, loaded).files:
            for i, case in enumerate(cases.file.cases):
                runner = StepRunner(project, cases.file, case)
                failures = [failure.message for failure in (await run_case(runner, case, ("cases", i))).failures]
                results[f"{cases.document.name}: {case.name}"] = failures, runner.store.nodes_run

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as loop:
        loop.run(all_of_them())
    return results


def read(line: dict[str, Any], ids: dict[str, str]) -> Intake:
    if line["to"].startswith("/collect"):
        _, _, type, source = line["to"].split("/")
        return collect_intake(type, source, None, Body((line["body"],)))
    profile = {"profile": {"id": ids[line["visitor"]]}} if line["visitor"] in ids else {}
    options = {**line["body"].get("options", {}), "debugger": True}
    body = json.dumps({**line["body"], **profile, "options": options}).encode()
    return read_track(body, profile_less="profile_less=true" in line["to"])


def systems() -> ScriptedPerformer:
    """The shop's systems as the demo runs them, without a network; the CRM replies in the order of the sample."""
    performer = ScriptedPerformer()
    performer.on("crm", "/coupons/*", HttpReply(404)).on("catalogue", "/products/*", HttpReply(404))
    for path, known in (("/coupons/", COUPONS), ("/products/", PRODUCTS)):
        target = "crm" if path == "/coupons/" else "catalogue"
        for name in {*known, *FAILING}:
            performer.on(target, path + name, *replies(name, known.get(name)))
    asked = [  # in the order in which the sample makes customers VIPs: Cem three times, Ann twice, Gus
        *replies("cem@example.com", None) * 3,
        *replies("ann@example.com", {"tier": TIERS["ann@example.com"]}),
        HttpReply(404),
    ]
    return performer.on("crm", "/customers/search", *asked, method="POST")


def replies(name: str, entry: dict[str, Any] | None) -> tuple[Reply, ...]:
    busy = NoAnswer("status", "the target answered 503", status=503)
    if name in FAILING:
        return (busy,)
    return (busy, HttpReply(200, entry)) if name in FAILING_ONCE else (HttpReply(200, entry),)


def test_the_starter_has_neither_errors_nor_warnings() -> None:
    loaded = load()
    assert loaded.diagnostics == ()
    assert load_cases(STARTER, loaded).diagnostics == ()


def test_the_starter_needs_nothing_from_the_environment() -> None:
    project = load().project
    assert [flow.name for flow in project.flows] == FLOWS
    assert sorted(project.targets) == ["catalogue", "crm", "mail", "warehouse"]
    assert sorted(project.sources) == ["coupon-desk", "web-shop"]


def test_every_flow_file_has_the_name_of_its_flow_and_a_description() -> None:
    for flow in load().project.flows:
        assert (STARTER / "flows" / f"{flow.name}.yaml").is_file()
        assert flow.description.endswith(".")


def test_the_flow_tests_pass(played: Played) -> None:
    assert {name: failures for name, (failures, _) in played.items() if failures} == {}
    assert len(played) >= 25


@pytest.mark.parametrize("flow", FLOWS)
def test_the_flow_tests_run_every_node_of_each_flow(played: Played, flow: str) -> None:
    ran = {node for _, ran in played.values() for name, node in ran if name == flow}
    assert ran == nodes_of(flow)


@pytest.mark.parametrize("flow", FLOWS)
def test_the_sample_runs_every_node_that_does_not_wait_for_time_to_pass(outcome: Outcome, flow: str) -> None:
    ran = {step["node"] for run in outcome.runs if run.get("flow") == flow for step in run.get("steps", ())}
    assert ran == nodes_of(flow) - AFTER_TIME.get(flow, set())


def nodes_of(flow: str) -> set[str]:
    return {node.id for f in load().project.flows if f.name == flow for node in f.nodes}


def test_the_sample_has_the_results_that_the_demo_expects(outcome: Outcome) -> None:
    assert outcome.events == EVENTS
    assert {name: outcome.stored[name] for name in STORED} == STORED
    assert outcome.segment_changes == list(SEGMENT_CHANGES)


def test_one_run_of_the_sample_fails_and_names_the_absent_value(outcome: Outcome) -> None:
    failed = [run for run in outcome.runs if run["outcome"] == "failed"]
    assert [(run["flow"], run["failed_at"], run["reason"]) for run in failed] == [
        ("cart", "remember", "`event.properties.total` is absent")
    ]


def test_both_of_anns_devices_have_one_profile(outcome: Outcome) -> None:
    ann = outcome.profiles["ann"]
    assert ann == outcome.profiles["ann-phone"]
    assert len(ann["ids"]) == 3  # with that of her e-mail address, which attaches events
    assert ann["segments"] == ("big-spenders", "newsletter-readers", "regulars", "vip")
    traits = {name: ann["traits"][name] for name in ("revenue", "orders", "tier", "first_page", "coupons")}
    assert traits == {"revenue": 560, "orders": 2, "tier": "gold", "first_page": "/", "coupons": ("SPRING-12",)}


def test_a_visitor_who_returns_to_a_full_cart_is_in_the_segment(outcome: Outcome) -> None:
    inside = [visitor for visitor, profile in outcome.profiles.items() if "cart-abandoners" in profile["segments"]]
    assert inside == ["bo"]
