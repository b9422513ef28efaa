"""Consents that flows and nodes require: checked at load; unless all are given, a node is skipped."""

from typing import Any

import pytest
from msgspec.structs import replace

from engine.flow.consents import missing_consent
from engine.flow.machine import Machine
from engine.flow.run_state import initial_state
from engine.profile.apply import apply_operations
from engine.profile.document import LinkKind, Profile
from engine.profile.grouping import regroup
from engine.profile.linking import Pool, new_link
from engine.profile.operations import Set
from tests.engine.flow.build import (
    NOW,
    compiled,
    document,
    flow,
    inputs,
    ports,
    problems_of,
    run,
    step_of,
    stored_profile,
    warnings_of,
)

MAIL = ("consents", "mail")
GATE = """
send: {log: sent, consents: [mail, ads], next: {done: sent, skipped: kept}}
sent: {log: x}
kept: {log: y}
"""


def profile_with(**consents: Any) -> Profile:
    return stored_profile(values={f"consents.{name}": value for name, value in consents.items()})


def run_gate(profile: Profile | None, nodes: str = GATE, **more: Any) -> Machine:
    return run(flow(nodes), profile=profile, **more)


@pytest.mark.parametrize(
    ("consents", "reason"),
    [
        pytest.param({"mail": True, "ads": {"given": NOW}}, "", id="all given"),
        pytest.param({"mail": True}, "consent `ads` is absent", id="the second is absent"),
        pytest.param({"ads": True}, "consent `mail` is absent", id="the first is absent"),
        pytest.param({"mail": False, "ads": True}, "consent `mail` is revoked", id="false"),
        pytest.param(
            {"mail": {"given": 1, "revoked": 2}, "ads": True}, "consent `mail` is revoked", id="revoked later"
        ),
        pytest.param(
            {"mail": {"given": 1, "expires": NOW}, "ads": True}, "consent `mail` has expired", id="expired by now"
        ),
        pytest.param({"mail": "yes", "ads": True}, "consent `mail` cannot be read", id="text"),
    ],
)
def test_a_node_is_skipped_unless_all_its_consents_are_given(consents: dict[str, Any], reason: str):
    machine = run_gate(profile_with(**consents))
    assert ports(machine)["send"] == ("skipped" if reason else "done")
    assert step_of(machine, "send").get("reason", "") == reason
    assert ports(machine).keys() - {"send"} == {"kept" if reason else "sent"}


def test_without_a_profile_no_consent_is_given():
    assert step_of(run_gate(None), "send")["reason"] == "consent `mail` is not given: no profile"


def test_disabled_and_when_come_before_consents():
    nodes = "a: {log: x, when: event.properties.total > 5, consents: mail}\n"
    assert step_of(run_gate(None, nodes), "a")["reason"] == "`event.properties.total > 5` is false"
    assert step_of(run_gate(None, "a: {log: x, disabled: true, consents: mail}"), "a")["reason"] == "disabled"


@pytest.mark.parametrize("given", [True, False])
def test_a_node_sees_the_decisions_of_the_nodes_before_it(given: bool):
    nodes = f"set: {{consent.set: {{mail: {str(given).lower()}}}, next: send}}\nsend: {{log: x, consents: mail}}"
    assert ports(run_gate(profile_with(mail=not given), nodes))["send"] == ("done" if given else "skipped")


def test_a_node_does_not_see_the_decision_of_a_parallel_branch():
    nodes = """
    both: {log: x, next: [set, send]}
    set: {consent.set: {mail: true}}
    send: {log: x, consents: mail}
    """
    assert ports(run_gate(profile_with(), nodes))["send"] == "skipped"
    assert warnings_of(nodes) == ["H306"]


def test_a_consent_with_an_expiry_expires():
    nodes = "a: {consent.set: {consents: {mail: true}, expires_in: 1d}, next: b}\nb: {log: x, consents: mail}"
    machine = run_gate(profile_with(), nodes)
    assert ports(machine)["b"] == "done"
    later, _ = apply_operations(profile_with(), "p-ann", machine.final_state().operations, NOW)
    day = 86_400_000
    for at, reason in ((NOW + day - 1, None), (NOW + day, "consent `mail` has expired")):
        missing = missing_consent(initial_state(replace(inputs(profile=later), now=at)), ("mail",))
        assert (missing and missing.reason) == reason


def test_a_value_that_is_not_a_boolean_is_no_decision():
    nodes = "set: {consent.set: {mail: '{{ event.properties.yes }}'}, next: {failed: b}}\nb: {log: x}"
    assert ports(run(flow(nodes), {"yes": "true"}, profile=profile_with()))["set"] == "failed"


# ---- merged profiles -------------------------------------------------------------------------------------------------


def merged_profile(kind: LinkKind, **by: Any) -> Profile:
    """A profile merged from Ann's and Bo's; `by` are their consents to mail."""
    ann, bo = (stored_profile(id, {"consents.mail": by[id]}, NOW - 5_000 + i) for i, id in enumerate(("ann", "bo")))
    return regroup(Pool.of(ann, bo).with_link(new_link("ann", kind, "bo")), (ann, bo), "ann").of("ann")


def missing_reason(profile: Profile, acting_id: str, **more: Any) -> str | None:
    missing = missing_consent(initial_state(inputs(profile=profile, **{"acting_id": acting_id, **more})), ("mail",))
    return missing.reason if missing else None


DISPUTED = "is disputed"


@pytest.mark.parametrize(
    ("kind", "ann", "bo", "acting_id", "reason"),
    [
        pytest.param("proof", True, {"given": 5}, "ann", None, id="both gave it"),
        pytest.param("own", {"given": 5}, {"revoked": 6}, "ann", "is revoked", id="revoked under the other id, later"),
        pytest.param("proof", {"revoked": 5}, {"given": 6}, "ann", None, id="given under an id that is proven"),
        pytest.param("claim", {"revoked": 5}, {"given": 6}, "ann", DISPUTED, id="given under an id that is claimed"),
        pytest.param("claim", {"revoked": 5}, {"given": 6}, "bo", None, id="given under the own id"),
        pytest.param("claim", {"given": 5}, {"revoked": 6}, "ann", "is revoked", id="revoked by a claim"),
    ],
)
def test_a_merged_profile_has_only_consents_that_the_acting_id_proves(
    kind: LinkKind, ann: Any, bo: Any, acting_id: str, reason: str | None
):
    actual = missing_reason(merged_profile(kind, ann=ann, bo=bo), acting_id)
    assert (actual is None) if reason is None else (actual is not None and reason in actual)


def test_a_consent_given_in_this_unit_counts_whatever_a_claim_says():
    profile = merged_profile("claim", ann={"revoked": 5}, bo={"revoked": 6})
    assert missing_reason(profile, "ann", earlier_operations=(Set(MAIL, {"given": NOW}),)) is None
    assert missing_reason(profile, "ann", earlier_operations=(Set(("traits", "x"), 1),)) == "consent `mail` is revoked"


# ---- load ------------------------------------------------------------------------------------------------------------


def test_the_plan_has_the_consents_of_the_flow_and_of_its_nodes():
    planned = flow({**document("a: {log: x, consents: mail}\n"), "consents": ["mail", "ads"]})
    assert planned.consents == ("mail", "ads")
    assert planned.nodes[0].consents == ("mail",)
    assert planned.nodes[0].guarded


@pytest.mark.parametrize(
    ("raw", "code", "path"),
    [
        pytest.param(None, "H103", "consents", id="nothing"),
        pytest.param([], "H103", "consents", id="an empty list"),
        pytest.param(True, "H103", "consents", id="true"),
        pytest.param({"mail": True}, "H103", "consents", id="a map"),
        pytest.param(["mail", 5], "H103", "consents.1", id="a number in a list"),
        pytest.param("", "H104", "consents", id="an empty name"),
        pytest.param(["mail", ""], "H104", "consents.1", id="an empty name in a list"),
        pytest.param("consents.mail", "H104", "consents", id="a path"),
        pytest.param("{{ event.type }}", "H104", "consents", id="a template"),
    ],
)
def test_an_error_in_consents_is_reported_at_its_key_path(raw: Any, code: str, path: str):
    node = {"log": "x", "consents": raw}
    assert (code, f"nodes.a.{path}") in problems_of({"flow": "f", "trigger": {"event": "e"}, "nodes": {"a": node}})
    assert (code, path) in problems_of({**document("a: {log: x}"), "consents": raw})


@pytest.mark.parametrize(
    ("raw", "code", "path"),
    [
        pytest.param({}, "H114", "", id="nothing"),
        pytest.param("mail", "H114", "", id="a text"),
        pytest.param({"mail": "yes"}, "H114", ".mail", id="a text for true"),
        pytest.param({"a.b": True}, "H104", ".a.b", id="a path"),
        pytest.param({"": True}, "H104", ".", id="an empty name"),
        pytest.param({"consents": {"a b": True}}, "H104", ".consents.a b", id="a bad name among fields"),
        pytest.param({"consents": {"mail": True}, "expires_in": "soon"}, "H119", ".expires_in", id="no duration"),
        pytest.param({"consents": {"mail": True}, "expires_in": "0s"}, "H114", ".expires_in", id="zero"),
    ],
)
def test_an_error_in_consent_set_is_reported_at_its_key_path(raw: Any, code: str, path: str):
    assert problems_of(document_of({"consent.set": raw})) == [(code, f"nodes.a.consent.set{path}")]


def document_of(node: dict[str, Any]) -> dict[str, Any]:
    return {"flow": "f", "trigger": {"event": "e"}, "nodes": {"a": node}}


def test_a_flow_without_profile_cannot_require_consents():
    flow_document = {**document("a: {log: x}\nb: {log: x, consents: ads}"), "profile": "none", "start": ["a", "b"]}
    problems = compiled({**flow_document, "consents": ["mail"]})[1]
    assert [(problem.code, ".".join(map(str, problem.path))) for problem in problems] == [
        ("H308", "consents.0"),
        ("H308", "nodes.b.consents"),
    ]
    assert problems[0].message == "`profile.consents.mail` is read, but this flow says `profile: none`"


def test_the_output_of_a_node_that_requires_consents_may_be_missing():
    nodes = "a: {let: {x: 1}, consents: mail, next: {done: b, skipped: b}}\nb: {let: {y: '{{ nodes.a.out.x }}'}}"
    assert [problem.code for problem in compiled(nodes)[1]] == ["H305"]


def test_two_parallel_nodes_that_decide_one_consent_get_a_warning():
    nodes = """
    both: {log: x, next: [one, other]}
    one: {consent.set: {mail: true}}
    other: {consent.set: {mail: false}}
    """
    assert warnings_of(nodes) == ["H306"]
