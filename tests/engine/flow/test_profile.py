"""Profiles within a run: merged, attached, and changed before and after that."""

from typing import Annotated

import pytest
from msgspec import Meta
from msgspec.structs import replace

from engine.flow.ask import ProfileReply, ProfilesReply, SessionReply
from engine.flow.effect import Attach, AttachSession, Effect, HoldKey, Merge, SetSession
from engine.flow.machine import Machine
from engine.flow.node import Node, NodeContext, Outcome, Port, Sole
from engine.profile.document import Profile
from engine.profile.grouping import regroup
from engine.profile.key import KeyRules
from engine.profile.linking import Pool, groups, new_link
from engine.profile.operations import Operation, Set
from engine.profile.visits import record_visit
from tests.engine.flow.build import NOW, drive, flow, inputs, out, ports, reason_of, run, stored_profile, traits

ANN = stored_profile("p-ann", {"traits.name": "Ann", "traits.n": 1}, created=NOW - 5_000)
BO = stored_profile("p-bo", {"traits.name": "Bo", "traits.n": 10, "traits.city": "Oslo"}, created=NOW - 9_000)


def profile_reply(profile: Profile | None) -> ProfileReply:
    return ProfileReply(profile, profile.id if profile else None)


def key_replies(*owners: Profile | None) -> ProfilesReply:
    """The reply to the ask of a merge: the owner of each key."""
    return ProfilesReply(
        tuple([ProfileReply(owner, owner.id if owner else None, cause="pii.email:1f") for owner in owners])
    )


MERGING = """
before: {profile.increment: {traits.n: 100}, next: recognise}
recognise: {profile.merge: {pii.email: bo@example.com}, next: after}
after: {let: {value: "{{ profile }}"}}
"""


def test_after_a_merge_the_view_is_of_both_profiles():
    machine = run(flow(MERGING), profile=ANN, answers={"recognise": key_replies(BO)})
    view = out(machine, "after")["value"]
    assert ports(machine)["recognise"] == "merged"
    assert (view["id"], sorted(view["ids"])) == ("p-bo", ["p-ann", "p-bo"])
    assert view["traits"]["city"] == "Oslo"
    assert view["pii"] == {"email": "bo@example.com"}


def test_operations_before_a_merge_apply_to_the_merged_profile():
    without_merge = run(flow("after: {let: {value: '{{ profile.traits.n }}'}}"), profile=ANN)
    machine = run(flow(MERGING), profile=ANN, answers={"recognise": key_replies(BO)})
    assert out(without_merge, "after") == {"value": 1}
    assert out(machine, "after")["value"]["traits"] == {"city": "Oslo", "n": 101, "name": "Ann"}
    assert [type(operation).__name__ for operation in machine.final_state().operations] == ["Increment", "Set"]


def test_a_key_that_no_profile_has_is_claimed():
    machine = run(flow(MERGING), profile=ANN, answers={"recognise": key_replies(None)})
    assert ports(machine)["recognise"] == "unchanged"
    claimed = [effect for _, effect in machine.effects() if isinstance(effect, HoldKey)]
    assert claimed == [HoldKey("pii.email:1f")]


@pytest.mark.parametrize(
    ("identify", "port", "kinds"),
    [("trust", "merged", ["proof", "proof"]), ("link", "merged", ["claim", "claim"]), ("refuse", "failed", [])],
)
def test_the_source_decides_what_a_key_proves(identify: str, port: str, kinds: list[str]):
    text = "recognise: {profile.merge: {pii.email: bo@example.com}, next: {failed: b}}\nb: {log: x}"
    machine = run(flow(text), profile=ANN, answers={"recognise": key_replies(BO)}, identify=identify)
    assert ports(machine)["recognise"] == port
    merged = machine.final_state().profile
    assert merged is not None
    assert [link.kind for link in merged.links.values()] == kinds


def test_a_proof_joins_those_who_prove_and_leaves_those_who_claim_behind():
    claims = [new_link(id, "claim", "?pii.email:1f") for id in ("p-ann", "p-cy")]
    cy = stored_profile("p-cy", {"traits.pet": "cat"}, created=NOW - 20_000)
    pool = Pool.of(ANN, cy).with_link(claims[0]).with_link(claims[1])
    joint = regroup(pool, (ANN, cy), "p-ann").of("p-ann")
    machine = run(flow(MERGING), profile=joint, acting_id="p-ann", answers={"recognise": key_replies(BO)})
    view = out(machine, "after")["value"]
    assert (ports(machine)["recognise"], sorted(view["ids"])) == ("merged", ["p-ann", "p-bo"])
    assert "pet" not in view["traits"]
    state = machine.final_state()
    assert state.pool is not None
    assert [sorted(ids) for ids in groups(state.pool)] == [["p-ann", "p-bo"], ["p-cy"]]
    assert {document.id for document in state.documents} == {joint.id, "p-bo"}


def test_two_links_of_one_run_are_judged_together():
    """Each of two parallel merges is allowed, but both would bring two users into one profile."""
    text = """
    s: {log: x, next: [mail, phone]}
    mail: {profile.merge: {pii.email: bo@example.com}, next: end}
    phone: {profile.merge: {pii.phone: "123"}, next: end}
    end: {log: x, next: {failed: after}}
    after: {log: x}
    """
    keys = KeyRules(exclusive=frozenset({("traits", "user")}))
    bo, cy = (
        replace(each, links={link.id: link})
        for each, link in (
            (BO, new_link("p-bo", "proof", "traits.user:1")),
            (stored_profile("p-cy"), new_link("p-cy", "proof", "traits.user:2")),
        )
    )
    other = ProfilesReply((ProfileReply(cy, "p-cy", cause="pii.phone:1f"),))
    machine = run(flow(text), profile=ANN, keys=keys, answers={"mail": key_replies(bo), "phone": other})
    assert (ports(machine)["end"], reason_of(machine, "end")) == ("failed", "`traits.user` has another value there")


def test_two_parallel_merges_both_take_effect():
    text = """
    s: {log: x, next: [mail, phone]}
    mail: {profile.merge: {pii.email: bo@example.com}, next: end}
    phone: {profile.merge: {pii.phone: "123"}, next: end}
    end: {let: {ids: "{{ profile.ids | sort }}"}, join: all}
    """
    cy = stored_profile("p-cy", {"traits.pet": "cat"})
    for answers in (
        {"mail": key_replies(BO), "phone": key_replies(cy)},
        {"phone": key_replies(cy), "mail": key_replies(BO)},
    ):
        machine = run(flow(text), profile=ANN, answers=answers)
        assert out(machine, "end") == {"ids": ["p-ann", "p-bo", "p-cy"]}
        assert traits(machine)["pet"] == "cat"


def test_a_merge_on_a_parallel_branch_is_visible_only_after_the_join():
    text = """
    s: {log: x, next: [mail, other]}
    mail: {profile.merge: {pii.email: bo@example.com}, next: end}
    other: {let: {ids: "{{ profile.ids }}"}, next: end}
    end: {let: {ids: "{{ profile.ids | sort }}"}}
    """
    machine = run(flow(text), profile=ANN, answers={"mail": key_replies(BO)})
    assert (out(machine, "other"), out(machine, "end")) == ({"ids": ["p-ann"]}, {"ids": ["p-ann", "p-bo"]})


def test_operations_that_do_not_fit_the_merged_profile_fail_the_merge():
    text = """
    a: {profile.increment: {traits.city: 1}, next: m}
    m: {profile.merge: {pii.email: bo@example.com}, next: {failed: b}}
    b: {log: x}
    """
    machine = run(flow(text), profile=ANN, answers={"m": key_replies(BO)})
    assert (ports(machine)["m"], reason_of(machine, "m")) == ("failed", "`traits.city` is text, not a number")
    assert traits(machine) == {"name": "Ann", "n": 1, "city": 1}


def test_without_a_profile_there_is_nothing_to_merge_or_change():
    text = """
    a: {profile.merge: {pii.email: x}, next: {failed: b}}
    b: {profile.set: {traits.x: 1}, next: {failed: c}}
    c: {log: x}
    """
    machine = run(flow(text))
    assert (reason_of(machine, "a"), reason_of(machine, "b")) == ("no profile", "no profile")


# ---- attaching -------------------------------------------------------------------------------------------------------

ATTACHING = """
a: {profile.attach: {id: p-ann}, next: {attached: b, missing: none}}
b: {profile.set: {traits.value: "{{ profile.traits.name }}"}, next: c}
c: {profile.attach: {id: p-bo}, next: {failed: d}}
d: {let: {id: "{{ profile.id }}"}}
none: {log: x}
"""


def test_an_event_can_get_a_profile_and_then_change_it():
    machine = run(flow(ATTACHING), answers={"a": profile_reply(ANN), "c": profile_reply(ANN)})
    assert (ports(machine)["c"], traits(machine)["value"]) == ("attached", "Ann")
    final = machine.final_state()
    assert (final.profile, final.acting_id) == (record_visit(ANN, "p-ann", NOW, new=False), "p-ann")


def test_attaching_a_second_different_profile_fails():
    machine = run(flow(ATTACHING), answers={"a": profile_reply(ANN), "c": profile_reply(BO)})
    assert (ports(machine)["c"], reason_of(machine, "c"), out(machine, "d")) == (
        "failed",
        "the event has another profile",
        {"id": "p-ann"},
    )


def test_attaching_a_profile_by_another_of_its_ids_changes_nothing():
    both = run(flow(MERGING), profile=ANN, answers={"recognise": key_replies(BO)}).final_state().profile
    assert ports(run(flow(ATTACHING), answers={"a": profile_reply(both), "c": profile_reply(ANN)}))["c"] == "attached"


def test_an_unknown_profile_leaves_by_missing():
    assert ports(run(flow(ATTACHING), answers={"a": profile_reply(None)})) == {"a": "missing", "none": "done"}


def test_a_created_profile_has_its_key():
    text = """
    a: {profile.attach: {key: {pii.email: Ann@Example.com}, create: true}, next: b}
    b: {let: {pii: "{{ profile.pii }}"}}
    """
    machine = run(flow(text), answers={"a": ProfileReply(None, cause="pii.email:1f")})
    assert out(machine, "b") == {"pii": {"email": "ann@example.com"}}
    assert HoldKey("pii.email:1f") in [effect for _, effect in machine.effects()]


@pytest.mark.parametrize(("reply", "port"), [(profile_reply(ANN), "failed"), (profile_reply(None), "attached")])
def test_a_source_that_may_not_identify_attaches_new_profiles_only(reply: ProfileReply, port: str):
    text = "a: {profile.attach: {key: {pii.email: x@y.z}, create: true}, next: {failed: b}}\nb: {log: x}"
    assert ports(run(flow(text), answers={"a": reply}, identify="refuse"))["a"] == port


class AttachBo(Node, frozen=True, tag="test.attach-bo"):
    """Attach Bo."""

    done = Port("Attached", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Attach."""
        return self.done(effects=[Attach(BO)])


class AttachAnn(Node, frozen=True, tag="test.attach-ann"):
    """Attach Ann."""

    done = Port("Attached", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Attach."""
        return self.done(effects=[Attach(ANN)])


def test_two_profiles_attached_in_parallel_fail_at_the_join():
    text = """
    s: {log: x, next: [a, b]}
    a: {test.attach-ann: , next: end}
    b: {test.attach-bo: , next: end}
    end: {log: x, next: {failed: after}}
    after: {log: x}
    """
    machine = run(flow(text, [AttachAnn, AttachBo]))
    assert (ports(machine)["end"], reason_of(machine, "end")) == (
        "failed",
        "the event belongs to profile p-ann already",
    )


def test_effects_that_need_a_profile_are_refused_without_one():
    for effect in (Set(("traits", "x"), 1), Merge((new_link("p-ann", "proof", "k"),), BO)):
        assert failure_of(effect) == "the event has no profile"


def failure_of(effect: Effect | Operation) -> str:
    """The reason why a node with this effect fails in a run without a profile and a session."""

    class WithEffect(Node, frozen=True, tag="test.doing"):
        """Have an effect."""

        done = Port("Done", main=True)

        def run(self, context: NodeContext) -> Outcome:
            """Leave with the effect."""
            return self.done(effects=[effect])

    return reason_of(run(flow("a: {test.doing: , next: {failed: b}}\nb: {log: x}", [WithEffect])), "a")


# ---- sessions --------------------------------------------------------------------------------------------------------

SESSION = {"id": "s-9", "created": NOW, "properties": {"a": 1}, "context": {}}


def test_an_event_can_get_a_session_and_then_change_it():
    text = """
    a: {session.attach: s-9, next: b}
    b: {session.set: {properties.b.c: 2}, next: c}
    c: {let: {value: "{{ session.properties }}"}}
    """
    machine = run(flow(text), answers={"a": SessionReply(SESSION, 3, "p-ann")})
    assert out(machine, "c") == {"value": {"a": 1, "b": {"c": 2}}}
    assert AttachSession(SESSION, 3, "p-ann") in [effect for _, effect in machine.effects()]
    assert SESSION["properties"] == {"a": 1}


def test_a_second_different_session_fails():
    text = "a: {session.attach: s-9, next: b}\nb: {session.attach: s-8, next: {failed: c}}\nc: {log: x}"
    machine = run(flow(text), answers={"a": SessionReply(SESSION)})
    assert reason_of(machine, "b") == "the event has another session"


class AttachSessions(Node, frozen=True, tag="test.attach-session"):
    """Attach the session with an id."""

    id: Annotated[str, Sole(), Meta(description="The id")]

    done = Port("Attached", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Attach."""
        return self.done(effects=[AttachSession({"id": self.id})])


@pytest.mark.parametrize(("other", "port"), [("s-1", "done"), ("s-2", "failed")])
def test_two_sessions_attached_in_parallel_fail_at_the_join(other: str, port: str):
    text = f"""
    s: {{log: x, next: [a, b]}}
    a: {{test.attach-session: s-1, next: end}}
    b: {{test.attach-session: {other}, next: end}}
    end: {{log: x}}
    """
    assert ports(run(flow(text, [AttachSessions])))["end"] == port


def test_an_event_without_a_session_cannot_change_one():
    assert failure_of(SetSession(("properties", "x"), 1)) == "the event has no session"


# ---- several flows for one event -------------------------------------------------------------------------------------


def test_a_run_can_start_from_the_final_state_of_another():
    first = run(flow("a: {profile.increment: {traits.n: 1}, next: b}\nb: {segment.add: vip}"), profile=ANN)
    second = Machine(
        flow("a: {let: {n: '{{ profile.traits.n }}', segments: '{{ profile.segments }}'}}"),
        inputs(),
        first.final_state(),
    )
    assert out(drive(second), "a") == {"n": 2, "segments": ["vip"]}
