"""Consents that flows and nodes want: said at load, and without all of them a node is skipped."""

from typing import Any

import pytest
from msgspec.structs import replace

from engine.flow.consents import missing_consent
from engine.flow.machine import Machine
from engine.flow.run_state import initial_state
from engine.profile.apply import apply_operations
from engine.profile.document import Link, Profile
from engine.profile.merge import link_id, unite
from engine.profile.operations import Set
from tests.engine.flow.build import NOW, compiled, document, flow, found, inputs, person, ports, run, step_of, warned

MAIL = ("consents", "mail")
GATE = """
send: {log: sent, consents: [mail, ads], next: {done: sent, skipped: kept}}
sent: {log: x}
kept: {log: y}
"""


def having(**consents: Any) -> Profile:
    return person(values={f"consents.{name}": value for name, value in consents.items()})


def gate(profile: Profile | None, nodes: str = GATE, **more: Any) -> Machine:
    return run(flow(nodes), profile=profile, **more)


@pytest.mark.parametrize(
    ("consents", "reason"),
    [
        pytest.param({"mail": True, "ads": {"given": NOW}}, "", id="all given"),
        pytest.param({"mail": True}, "consent `ads` is absent", id="one is absent"),
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
    machine = gate(having(**consents))
    assert ports(machine)["send"] == ("skipped" if reason else "done")
    assert step_of(machine, "send").get("reason", "") == reason
    assert ports(machine).keys() - {"send"} == {"kept" if reason else "sent"}


def test_without_a_profile_no_consent_is_given():
    assert step_of(gate(None), "send")["reason"] == "consent `mail` is not given: no profile"


def test_when_is_asked_first_and_a_disabled_node_stays_disabled():
    nodes = "a: {log: x, when: event.properties.total > 5, consents: mail}\n"
    assert step_of(gate(None, nodes), "a")["reason"] == "`event.properties.total > 5` is false"
    assert step_of(gate(None, "a: {log: x, disabled: true, consents: mail}"), "a")["reason"] == "disabled"


@pytest.mark.parametrize("gives", [True, False])
def test_a_node_sees_what_the_nodes_before_it_decided(gives: bool):
    nodes = f"set: {{consent.set: {{mail: {str(gives).lower()}}}, next: send}}\nsend: {{log: x, consents: mail}}"
    assert ports(gate(having(mail=not gives), nodes))["send"] == ("done" if gives else "skipped")


def test_a_node_does_not_see_what_a_branch_beside_it_decided():
    nodes = """
    both: {log: x, next: [set, send]}
    set: {consent.set: {mail: true}}
    send: {log: x, consents: mail}
    """
    assert ports(gate(having(), nodes))["send"] == "skipped"
    assert warned(nodes) == ["H306"]


def test_what_is_given_for_a_time_ends_by_itself():
    nodes = "a: {consent.set: {consents: {mail: true}, expires_in: 1d}, next: b}\nb: {log: x, consents: mail}"
    machine = gate(having(), nodes)
    assert ports(machine)["b"] == "done"
    later, _ = apply_operations(having(), "p-ann", machine.final_state().operations, NOW)
    day = 86_400_000
    for at, reason in ((NOW + day - 1, None), (NOW + day, "consent `mail` has expired")):
        lacks = missing_consent(initial_state(replace(inputs(profile=later), now=at)), ("mail",))
        assert (lacks and lacks.reason) == reason


def test_what_is_no_truth_is_no_decision():
    nodes = "set: {consent.set: {mail: '{{ event.properties.yes }}'}, next: {failed: b}}\nb: {log: x}"
    assert ports(run(flow(nodes), {"yes": "true"}, profile=having()))["set"] == "failed"


# ---- merged pasts ---------------------------------------------------------------------------------------------------


def joined(claim: bool, **by: Any) -> Profile:
    """Ann's and Bo's profiles as one; `by` are their consents to mail."""
    ann, bo = (person(id, {"consents.mail": by[id]}, NOW - 5_000 + i) for i, id in enumerate(("ann", "bo")))
    return unite(ann, bo, Link(link_id("ann", "bo", "k"), "ann", "bo", "k", claim))


def stands(profile: Profile, acting_id: str, **more: Any) -> str | None:
    lacks = missing_consent(initial_state(inputs(profile=profile, **{"acting_id": acting_id, **more})), ("mail",))
    return lacks.reason if lacks else None


DISPUTED = "is disputed"


@pytest.mark.parametrize(
    ("claim", "ann", "bo", "acting_id", "reason"),
    [
        pytest.param(False, True, {"given": 5}, "ann", None, id="both gave it"),
        pytest.param(False, {"given": 5}, {"revoked": 6}, "ann", "is revoked", id="revoked under the other id, later"),
        pytest.param(False, {"revoked": 5}, {"given": 6}, "ann", None, id="given under an id that is proven"),
        pytest.param(True, {"revoked": 5}, {"given": 6}, "ann", DISPUTED, id="given under an id that is claimed"),
        pytest.param(True, {"revoked": 5}, {"given": 6}, "bo", None, id="given under the own id"),
        pytest.param(True, {"given": 5}, {"revoked": 6}, "ann", "is revoked", id="revoked by a claim"),
    ],
)
def test_merged_pasts_give_no_consent_that_is_not_ones_own(
    claim: bool, ann: Any, bo: Any, acting_id: str, reason: str | None
):
    told = stands(joined(claim, ann=ann, bo=bo), acting_id)
    assert (told is None) if reason is None else (told is not None and reason in told)


def test_who_gives_it_now_has_given_it_whatever_a_claim_says():
    profile = joined(True, ann={"revoked": 5}, bo={"revoked": 6})
    assert stands(profile, "ann", earlier_operations=(Set(MAIL, {"given": NOW}),)) is None
    assert stands(profile, "ann", earlier_operations=(Set(("traits", "x"), 1),)) == "consent `mail` is revoked"


# ---- load -----------------------------------------------------------------------------------------------------------


def test_the_plan_has_the_consents_of_the_flow_and_of_its_nodes():
    planned = flow({**document("a: {log: x, consents: mail}\n"), "consents": ["mail", "ads"]})
    assert planned.consents == ("mail", "ads")
    assert planned.nodes[0].consents == ("mail",)
    assert planned.nodes[0].guarded


@pytest.mark.parametrize(
    ("raw", "code", "place"),
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
def test_what_is_wrong_with_consents_is_said_at_its_place(raw: Any, code: str, place: str):
    node = {"log": "x", "consents": raw}
    assert (code, f"nodes.a.{place}") in found({"flow": "f", "trigger": {"event": "e"}, "nodes": {"a": node}})
    assert (code, place) in found({**document("a: {log: x}"), "consents": raw})


@pytest.mark.parametrize(
    ("raw", "code", "place"),
    [
        pytest.param({}, "H114", "", id="nothing"),
        pytest.param("mail", "H114", "", id="a text"),
        pytest.param({"mail": "yes"}, "H114", "", id="a text for true"),
        pytest.param({"a.b": True}, "H104", ".a.b", id="a path"),
        pytest.param({"": True}, "H104", ".", id="an empty name"),
        pytest.param({"consents": {"a b": True}}, "H104", ".consents.a b", id="a bad name among fields"),
        pytest.param({"consents": {"mail": True}, "expires_in": "soon"}, "H119", ".expires_in", id="no duration"),
        pytest.param({"consents": {"mail": True}, "expires_in": "0s"}, "H114", ".expires_in", id="no time at all"),
    ],
)
def test_what_is_wrong_with_setting_consents_is_said_at_its_place(raw: Any, code: str, place: str):
    assert found(document_of({"consent.set": raw})) == [(code, f"nodes.a.consent.set{place}")]


def document_of(node: dict[str, Any]) -> dict[str, Any]:
    return {"flow": "f", "trigger": {"event": "e"}, "nodes": {"a": node}}


def test_a_flow_without_profile_wants_no_consents():
    bare = {**document("a: {log: x}\nb: {log: x, consents: ads}"), "profile": "none", "start": ["a", "b"]}
    problems = compiled({**bare, "consents": ["mail"]})[1]
    assert [(problem.code, ".".join(map(str, problem.path))) for problem in problems] == [
        ("H308", "consents.0"),
        ("H308", "nodes.b.consents"),
    ]
    assert problems[0].message == "`profile.consents.mail` is read, but this flow says `profile: none`"


def test_the_output_of_a_node_that_wants_consents_may_not_be_there():
    nodes = "a: {let: {x: 1}, consents: mail, next: {done: b, skipped: b}}\nb: {let: {y: '{{ nodes.a.out.x }}'}}"
    assert [problem.code for problem in compiled(nodes)[1]] == ["H305"]


def test_two_nodes_side_by_side_that_decide_one_consent_are_warned_of():
    nodes = """
    both: {log: x, next: [one, other]}
    one: {consent.set: {mail: true}}
    other: {consent.set: {mail: false}}
    """
    assert warned(nodes) == ["H306"]
