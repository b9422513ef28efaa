"""Cases run through a project: visitors, merges, the passing of time, and the answers to look-ups."""

import time
from pathlib import Path

import pytest

from engine.tracking.intake.payload import UNUSABLE
from tests.cli.testing.shop_cases import failures_of, messages_of, write


@pytest.mark.parametrize("case", [
    pytest.param(
        """
        steps:
          - send: {visitor: phone, type: order-paid, properties: {total: 50, email: A@example.com}}
          - send: {visitor: desk, type: order-paid, properties: {total: 30, email: a@example.com}}
            expect: {same: [phone, desk], ports: {recognise: merged}, profile: {traits.revenue: 80}}
          - unmerge: [phone, desk]
            expect:
              apart: [phone, desk]
              profiles: {phone: {traits.revenue: 50}, desk: {traits.revenue: 30}}
          - send: {visitor: desk, type: order-paid, properties: {total: 1}}
            expect: {profiles: {phone: {traits.revenue: 50}, desk: {traits.revenue: 31}}}
        """,
        id="two visitors are merged by a key and unmerged",
    ),
    pytest.param(
        """
        steps:
          - send: {visitor: a, type: order-paid, properties: {total: 1, email: a@example.com}}
          - send: {visitor: b, type: order-paid, properties: {total: 1, email: a@example.com}}
          - send: {visitor: c, type: linked, properties: {before: "{{ b.id }}"}}
            expect: {same: [a, b, c]}
          - unmerge: [a, c]
            expect: {same: [a, b], apart: [b, c]}
        """,
        id="unmerging undoes the last link that separates two visitors",
    ),
    pytest.param(
        """
        given: {profiles: {ann: {pii: {email: Ann@example.com}, traits: {revenue: 250}}}}
        steps:
          - send: {visitor: guest, type: order-paid, properties: {total: 60, email: ann@example.com}}
            expect: {same: [ann, guest], profile: {traits.revenue: 310}, entered: {ann: rich}}
        """,
        id="a given value under pii is a key",
    ),
    pytest.param(
        """
        given: {profiles: {ann: {traits: {revenue: 400, deep.down: {x: 1}}, segments: [vip]}}}
        steps:
          - send: {visitor: ann, type: order-paid, properties: {total: 1}}
            expect: {profile: {traits: {deep: {down: {x: 1}}}, segments: [vip, rich]}, entered: [], left: []}
        """,
        id="a profile that starts in a segment does not enter it",
    ),
    pytest.param(
        """
        steps:
          - send: {visitor: tablet, user: null, type: order-paid, properties: {total: 1}}
            expect: {profile: {traits.account: null, traits.revenue: 1}}
          - send: {visitor: tablet, user: A-1, type: order-paid, properties: {total: 2}}
            expect: {profile: {traits.account: A-1, traits.revenue: 3}}
          - send: {visitor: tablet, user: 4711, type: order-paid, properties: {total: 4}}
            expect: {profile: {traits.account: "4711", traits.revenue: 4}}
          - send: {visitor: phone, user: A-1, type: order-paid, properties: {total: 8}}
            expect: {apart: [tablet, phone], profile: {traits.revenue: 11}}
        """,
        id="two users of one device are two profiles, and the first one is a profile with its phone",
    ),
    pytest.param(
        "event: {user: undefined, type: order-paid}\nexpect: {refused: malformed}",
        id="a placeholder as the user is refused",
    ),
    pytest.param(
        """
        given: {profiles: {ann: {traits: {card: C-1}}}}
        steps:
          - send: {visitor: till, type: card-shown, profile_less: true, properties: {card: C-1}}
            expect:
              profiles: {ann: {traits.shown: 1}}
              profile: {traits.card: C-1}
              runs: {card: finished}
              entered: shown
          - send: {visitor: till, type: card-shown, profile_less: true, properties: {card: C-2}}
            expect: {profile: null, runs: {card: {ports: {owner: missing}}}}
        """,
        id="an event without a profile finds one by a declared key",
    ),
    pytest.param(
        """
        steps:
          - send: {type: walk, session: morning}
            expect: {profile: {metadata.visits: 1}, entered: []}
          - advance: 1d
          - send: {type: walk, session: evening}
            expect: {profile: {metadata.visits: 2}, entered: regulars}
          - send: {type: walk, session: evening}
            expect: {runs: {visits: not-triggered}, entered: []}
          - advance: 28d
            expect: {profile: {segments: [regulars]}, runs: {gone: not-triggered, lost: not-triggered}}
          - advance: 2d
            expect:
              left: regulars
              emitted: [win-back]
              runs: {gone: finished, lost: filtered}
              profile: {traits.missed: true}
        """,
        id="a segment is left as time passes, which triggers a flow",
    ),
    pytest.param(
        """
        steps:
          - send: {type: order-paid, properties: {total: 5}}
            expect: {entered: []}
          - advance: 6d
            expect: {profile: {segments: []}}
          - advance: 400d
            expect: {entered: patient, left: []}
        """,
        id="a segment is entered as time passes",
    ),
    pytest.param(
        """
        steps:
          - send: {type: walk}
          - advance: 3d
            expect: {entered: [], left: []}
          - advance: 10d
            expect: {entered: [away], left: [away]}
        """,
        id="a segment is entered and left in one step",
    ),
    pytest.param(
        """
        given: {profiles: {ann: {pii: {email: a@example.com}, traits: {revenue: 400}}}}
        steps:
          - send: {visitor: guest, type: order-paid, properties: {total: 1, email: a@example.com}}
            expect: {same: [ann, guest], entered: {ann: [], guest: []}, left: {ann: [], guest: []}}
        """,
        id="a visitor who is merged with a member enters and leaves nothing",
    ),
    pytest.param(
        """
        given: {profile: {traits: {revenue: 1}}}
        steps:
          - advance: 8d
            expect: {entered: patient}
        """,
        id="the window of a segment starts with the given profile",
    ),
    pytest.param(
        """
        steps:
          - send: {events: [{type: order-paid, properties: {total: 5}}, {type: order-paid, id: e-1}]}
            expect: {outcome: finished, event: {id: e-1}, profile: {traits.revenue: 5}, emitted: [order-noted]}
          - send: {type: order-paid, id: e-1, properties: {total: 5}}
            expect: {event: {disposition: duplicate}, profile: {traits.revenue: 5}, emitted: []}
          - advance: 8d
          - send: {type: order-paid, id: e-1, properties: {total: 5}}
            expect: {event: {disposition: stored}, profile: {traits.revenue: 10}}
        """,
        id="an event id takes effect once within the window",
    ),
    pytest.param(
        """
        given: {profiles: {ann: {}}}
        steps:
          - send: {type: walk, id: "{{ x.id }}", properties: {a: ["{{ ann.id }}"], b: "not {{ ann.id }}"}}
            expect:
              event: {id: "{{ x.id }}", properties: {a: ["00000000000000000000000000000001"], b: "not {{ ann.id }}"}}
        """,
        id="a placeholder is the whole value of a property",
    ),
    pytest.param(
        """
        mocks: {crm: [{status: 503}, {fail: connection}, {body: {tier: gold}}]}
        event: {type: order-paid, properties: {total: 100, email: a@example.com}}
        expect: {ports: {crm: found}, calls: {crm: 3}, profile: {traits.tier: gold}}
        """,
        id="a look-up gets several answers in turn",
    ),
    pytest.param(
        """
        steps:
          - send: {type: order-paid, properties: {total: 100}}
            mocks: {crm: {body: {tier: gold}}}
            expect: {ports: {crm: found}}
          - send: {type: order-paid, properties: {total: 100}}
            expect: {ports: {crm: found}}
          - send: {type: order-paid, properties: {total: 100}}
            mocks: {order.crm: {status: 404}}
            expect: {ports: {crm: missing}}
        """,
        id="a step can replace the mocks of later steps",
    ),
    pytest.param(
        """
        mocks: {crm: {fail: timeout}}
        event: {type: order-paid, properties: {total: 100}}
        expect: {ports: {crm: failed}, calls: {crm: 3}}
        """,
        id="timeouts take only virtual time",
    ),
])  # fmt: skip
def test_a_case_passes(tmp_path: Path, case: str) -> None:
    assert messages_of(tmp_path, case) == []


@pytest.mark.parametrize(("case", "messages"), [
    pytest.param(
        "event: {type: order-paid, properties: {total: 100}}\nexpect: {outcome: finished}",
        ["`crm` of `order` would call POST /tiers of `crm`, but a test calls no targets"],
        id="a look-up without a mock",
    ),
    pytest.param(
        "mocks: {crm: {status: 404}}\nevent: {type: order-paid, properties: {total: 1}}\nexpect: {outcome: finished}",
        ["this mock is never used: `crm` of `order` made no request"],
        id="an unused mock",
    ),
    pytest.param(
        "mocks: {crm: [{status: 404}, {status: 503}]}\n"
        "event: {type: order-paid, properties: {total: 100}}\nexpect: {outcome: finished}",
        ["only 1 of these 2 answers was used: `crm` of `order` made no more requests"],
        id="unused answers",
    ),
    pytest.param(
        "mocks: {crm: {status: 404}}\nsteps:\n"
        "  - send: {type: order-paid, properties: {total: 100}}\n    mocks: {crm: {body: {tier: a}}}\n"
        "    expect: {outcome: finished}",
        ["this mock is never used: `crm` of `order` made no request"],
        id="a mock that is replaced before it is used",
    ),
    pytest.param(
        "given: {profiles: {a: {}, b: {}}}\nsteps:\n  - unmerge: [a, b]\n    expect: {apart: [a, b]}",
        ["a and b are not one profile"],
        id="unmerging visitors who are not merged",
    ),
    pytest.param(
        "steps:\n"
        "  - send: {visitor: a, type: order-paid, properties: {total: 1, email: a@example.com}}\n"
        "  - send: {visitor: b, type: order-paid, properties: {total: 1, email: a@example.com}}\n"
        '  - send: {visitor: b, type: linked, properties: {before: "{{ a.id }}"}}\n'
        "  - unmerge: [a, b]\n    expect: {apart: [a, b]}",
        ["several links join a and b: they stay one profile when one link is undone"],
        id="unmerging visitors with two links",
    ),
    pytest.param(
        "event: {type: ' padded '}\nexpect: {emitted: []}",
        [f"the payload is refused: {UNUSABLE} (at /events/0/type)"],
        id="an invalid event",
    ),
    pytest.param(
        "event: {events: [{type: walk}, {type: consent-changed}]}\nexpect: {emitted: []}",
        ['an event is rejected: name at least one consent: {"newsletter": true} (at /events/1/properties/consents)'],
        id="one of several events is rejected",
    ),
    pytest.param(
        "event: {type: walk, source: old}\nexpect: {emitted: []}",
        ["the payload is refused: the source `old` is not enabled (at /source/id)"],
        id="a source that is not enabled",
    ),
    pytest.param(
        "given: {profile: {traits: {a: 1, a.b: 2}}}\nevent: {type: walk}\nexpect: {emitted: []}",
        ["`traits.a` is a number, not an object: `traits.a.b` lies below it"],
        id="an impossible profile",
    ),
    pytest.param(
        "given: {profiles: {ann: {traits: {card: C-1}}, bo: {traits: {card: C-1}}}}\n"
        "event: {type: walk}\nexpect: {emitted: []}",
        ["`bo` has the same `traits.card` as a profile before it: give each another value, or let events bring it"],
        id="two profiles with one key",
    ),
])  # fmt: skip
def test_a_case_that_cannot_run_as_written_fails_with_the_reason(
    tmp_path: Path, case: str, messages: list[str]
) -> None:
    assert messages_of(tmp_path, case) == messages


def test_a_case_ends_with_the_first_step_that_fails(tmp_path: Path) -> None:
    case = """
        steps:
          - send: {type: walk}
            expect: {emitted: [a]}
          - send: {type: walk}
            expect: {emitted: [b]}
    """
    assert messages_of(tmp_path, case) == ["expected `a` to be emitted; no event was emitted"]


def test_cases_are_independent_of_each_other_and_equal_in_every_run(tmp_path: Path) -> None:
    cases = """
        source: shop
        clock: 2024-02-29T00:00:00Z
        cases:
          - name: one
            event: {type: walk}
            expect: {profile: {metadata.created: 1709164800000, metadata.visits: 1, id: x}}
          - name: two
            event: {type: walk}
            expect: {profile: {metadata.created: 1709164800000, metadata.visits: 1, id: x}}
    """
    first, second = failures_of(tmp_path, cases)
    assert len(first) == 1
    assert first[0].message == second[0].message
    assert failures_of(tmp_path, cases)[0][0].message == first[0].message


def test_thirty_cases_take_about_a_second(tmp_path: Path) -> None:
    case = "  - {name: c%d, event: {type: order-paid, properties: {total: 100}}, mocks: {crm: {fail: timeout}}, %s}\n"
    text = "flow: order\nsource: shop\ncases:\n" + "".join(
        case % (i, "expect: {ports: {crm: failed}}") for i in range(30)
    )
    started = time.perf_counter()
    assert failures_of(tmp_path, text) == [[]] * 30
    assert time.perf_counter() - started < 10  # the machine may be busy; each of them waits 6 s of virtual time


FURTHER = {
    "flows/further.yaml": """
        flow: further
        trigger: {event: [order-paid, broken]}
        nodes:
          crm:
            lookup.http: {target: crm, path: /further}
            next: {found: tell, failed: tell}
          tell:
            event.emit: {type: further}
            next: stop
          stop:
            fail: on purpose
    """,
}
SMALL = "event: {type: order-paid, properties: {total: 5}}\nexpect: {outcome: finished, emitted: [order-noted]}"


def test_a_further_flow_that_calls_emits_and_fails_breaks_no_case_of_another_flow(tmp_path: Path) -> None:
    write(tmp_path, FURTHER)
    assert messages_of(tmp_path, SMALL) == []


@pytest.mark.parametrize(("expect", "message"), [
    ("emitted: [order-noted]", "`crm` of `further` would call GET /further of `crm`, but a test calls no targets"),
    ("runs: {further: {path: [crm, tell, stop]}}", "`crm` of `further` would call"),
])  # fmt: skip
def test_a_case_that_names_a_further_flow_or_no_flow_accounts_for_it(tmp_path: Path, expect: str, message: str) -> None:
    write(tmp_path, FURTHER)
    text = f"source: shop\ncases: [{{name: it, event: {{type: broken}}, expect: {{{expect}}}}}]"
    (failures,) = failures_of(tmp_path, text)
    assert failures[0].message.startswith(message)


MOCKED = "event: {type: broken}\nmocks: {further.crm: {body: {}}}\nexpect: "


@pytest.mark.parametrize(("expect", "messages"), [
    pytest.param("{profile: {traits: {}}}", ["`further` failed, and the case does not expect it"], id="unexpected"),
    pytest.param("{runs: {further: failed}}", [], id="expected"),
    pytest.param("{runs: {further: {outcome: failed}}}", [], id="expected, in a map"),
    pytest.param("{runs: {further: {ports: {stop: failed}}}}", [], id="the node that fails is named"),
    pytest.param("{runs: {further: {ports: {tell: done}}}}", ["`further` failed, and the case does not expect it"],
                 id="another node is named"),
])  # fmt: skip
def test_a_run_that_fails_must_be_expected(tmp_path: Path, expect: str, messages: list[str]) -> None:
    write(tmp_path, FURTHER)
    assert messages_of(tmp_path, MOCKED + expect) == messages


def test_a_file_that_lists_flows_runs_no_others(tmp_path: Path) -> None:
    write(tmp_path, FURTHER)
    case = "{name: it, event: {type: order-paid, properties: {total: 5}}, expect: {emitted: [order-noted], runs: %s}}"
    text = "flow: order\nsource: shop\nflows: %s\ncases: [" + case + "]"
    alone, beside = [failures_of(tmp_path, text % each) for each in (("[]", "{}"), ("[further]", "{}"))]
    assert [failure.message for failure in alone[0]] == []
    assert "`crm` of `further` would call" in beside[0][0].message


def test_a_response_that_is_withheld_is_missing_for_that_reason(tmp_path: Path) -> None:
    case = """
      - name: two pages claim one address
        steps:
          - send: {visitor: a, source: page, type: order-paid, properties: {total: 1, email: a@example.com}}
          - send: {visitor: b, source: page, type: order-paid, properties: {total: 1, email: a@example.com}}
            expect: {response: {noted: 1}}
    """
    (failures,) = failures_of(tmp_path, f"flow: order\ncases:{case}")
    assert "claims join the sender with others" in str(failures[0].reasons[0])
