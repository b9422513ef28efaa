"""Scheduled flows in flow tests: fired by a step, and while time passes; with what they keep."""

from pathlib import Path
from textwrap import dedent

import pytest

from flows.cases import load_cases
from flows.project import load_project
from nodes import builtin
from tests.cli.testing.shop_cases import SHOP, failures_of, write

NIGHTLY = """
    flow: nightly
    trigger: {schedule: "0 6 * * *", timezone: Europe/Berlin}
    nodes:
      since: {state.get: {key: cursor, default: "2026-01-01"}, next: fetch}
      fetch:
        lookup.http: {target: crm, path: /prices, query: {since: "{{ nodes.since.out }}"}}
        next: {found: [keep, say], missing: none, failed: none}
      keep: {state.set: {key: cursor, value: "{{ nodes.fetch.out.until }}"}}
      say: {event.emit: {type: prices-changed, properties: {count: "{{ nodes.fetch.out.count }}"}}}
      none: {fail: no prices}
"""
CHANGED = """
    flow: changed
    trigger: {event: prices-changed}
    nodes:
      note: {log: "{{ event.properties.count }} prices"}
"""
GREETING = """
    flow: greeting
    trigger: {every: 1d, for: segment vip}
    nodes:
      count: {profile.increment: {traits.greeted: 1}}
"""
OFTEN = "flow: often\ntrigger: {every: 1s}\nnodes: {note: {log: hello}}\n"
MOCK = "mocks: {fetch: {body: {until: '2026-01-02', count: 3}}}"


FLOWS = {f"flows/{name}.yaml": text for name, text in {
    "nightly": NIGHTLY, "changed": CHANGED, "greeting": GREETING, "often": OFTEN,
}.items()}  # fmt: skip


def messages(root: Path, case: str, flow: str = "nightly") -> list[str]:
    """The messages of the failures of one case of a flow's file."""
    write(root, FLOWS)
    text = dedent(case).strip("\n").replace("\n", "\n    ")
    (failures,) = failures_of(root, f"flow: {flow}\nsource: shop\ncases:\n  - name: it\n    {text}\n")
    return [failure.message for failure in failures]


@pytest.mark.parametrize("case", [
    pytest.param(
        f"""
        {MOCK}
        fire: nightly
        expect:
          outcome: finished
          state: {{cursor: "2026-01-02"}}
          calls: {{fetch: [{{query: {{since: "2026-01-01"}}}}]}}
          emitted: [{{type: prices-changed, properties: {{count: 3}}}}]
          runs: {{changed: finished}}
        """,
        id="a flow is fired, and its events start others",
    ),
    pytest.param(
        f"""
        given: {{state: {{cursor: "2025-05-05"}}}}
        {MOCK}
        fire: nightly
        expect: {{calls: {{fetch: [{{query: {{since: "2025-05-05"}}}}]}}}}
        """,
        id="a case begins with a state",
    ),
    pytest.param(
        f"""
        {MOCK}
        steps:
          - advance: 16h
            expect: {{calls: {{fetch: 0}}, emitted: []}}
          - advance: 2h
            expect: {{outcome: finished, calls: {{fetch: 1}}, emitted: [prices-changed]}}
          - advance: 2d
            expect: {{calls: {{fetch: 2}}, state: {{cursor: "2026-01-02"}}}}
        """,
        id="time fires it at each due time",
    ),
    pytest.param(
        """
        mocks: {fetch: {status: 404}}
        fire: nightly
        expect: {outcome: failed, state: {cursor: null}}
        """,
        id="a run that fails keeps nothing",
    ),
])  # fmt: skip
def test_a_case_of_a_scheduled_flow_holds(tmp_path: Path, case: str) -> None:
    assert messages(tmp_path, case) == []


def test_a_flow_for_a_segment_is_fired_for_its_members(tmp_path: Path) -> None:
    case = """
        given:
          profiles: {ann: {traits: {name: Ann}, segments: [vip]}, bob: {traits: {name: Bob}}}
        steps:
          - fire: greeting
            expect: {profiles: {ann: {traits.greeted: 1}, bob: {traits.greeted: null}}}
          - advance: 25h
            expect: {profiles: {ann: {traits.greeted: 2}}}
    """
    assert messages(tmp_path, case, "greeting") == []


def test_an_expected_state_that_differs_is_a_failure(tmp_path: Path) -> None:
    case = f"{MOCK}\nfire: nightly\nexpect: {{state: {{cursor: '2027'}}}}"
    assert messages(tmp_path, case) == ['expected `cursor` of the state to be "2027"; it is "2026-01-02"']


def test_flows_that_the_case_is_not_about_are_not_fired_by_time(tmp_path: Path) -> None:
    case = """
        steps:
          - send: {type: order-paid, properties: {total: 5}}
          - advance: 30d
            expect: {emitted: []}
    """
    assert messages(tmp_path, case, "order") == []


def test_too_many_firings_in_a_step_are_a_failure(tmp_path: Path) -> None:
    case = "steps:\n  - advance: 1h\n    expect: {outcome: finished}"
    assert messages(tmp_path, case, "often") == ["scheduled flows are fired more than 1000 times: advance by less"]


@pytest.mark.parametrize(
    ("flow", "case", "expected"),
    [
        ("nightly", "fire: nightli\nexpect: {outcome: finished}", ("H421", "there is no flow `nightli`")),
        ("nightly", "fire: order\nexpect: {outcome: finished}", ("H421", "`order` has no schedule")),
        ("order", "fire: nightly\nexpect: {state: {x: 1}}", ("H424", "no state")),
        ("order", "given: {state: {x: 1}}\nfire: nightly\nexpect: {emitted: []}", ("H424", "no state")),
        ("greeting", "fire: greeting\nexpect: {state: {x: 1}}", ("H424", "no state")),
        ("nightly", "fire: nightly\nevent: {type: x}\nexpect: {emitted: []}", ("H423", "either an `event`")),
        (
            "nightly",
            "steps: [{fire: nightly, advance: 1h, expect: {outcome: finished}}]",
            ("H423", "a step does one thing"),
        ),
    ],
)
def test_a_mistake_in_a_case_is_reported(tmp_path: Path, flow: str, case: str, expected: tuple[str, str]) -> None:
    text = case.replace("\n", "\n    ")
    cases = f"flow: {flow}\nsource: shop\ncases:\n  - name: it\n    {text}\n"
    write(tmp_path, {**SHOP, **FLOWS, "flows/a.test.yaml": cases})
    found = load_cases(tmp_path, load_project(tmp_path, builtin(), {})).diagnostics
    assert (found[0].code, expected[1] in found[0].message) == (expected[0], True), found[0].message


@pytest.mark.parametrize(
    ("mocks", "fetched"), [("{}", None), ("{nightly.fetch: {status: 404}}", 2)], ids=["unnamed", "named"]
)
def test_in_a_file_without_a_flow_time_fires_only_flows_that_the_case_names(
    tmp_path: Path, mocks: str, fetched: int | None
) -> None:
    expected = "{calls: {nightly.fetch: 2}, runs: {nightly: failed}}" if fetched else "{emitted: []}"
    case = f"name: it\n    mocks: {mocks}\n    steps: [{{advance: 2d, expect: {expected}}}]"
    write(tmp_path, FLOWS)
    (failures,) = failures_of(tmp_path, f"source: shop\ncases:\n  - {case}\n")
    assert [failure.message for failure in failures] == []
