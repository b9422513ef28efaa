"""Flow tests of runs that wait: time passes as on a server, and a case says what waits."""

from pathlib import Path

import pytest

from tests.cli.testing.shop_cases import failures_of, write

CART = """
    flow: cart
    trigger: {event: cart-updated}
    while_waiting: restart
    nodes:
      bought:
        wait.for: {event: [order-paid, cart-emptied]}
        timeout: 2h
        next: {timeout: remind}
      remind:
        profile.increment: {traits.reminders: 1}
        next: nap
      nap: {wait: 1d, next: again}
      again:
        event.emit: {type: reminded-again, properties: {at: "{{ now }}"}}
"""
MORNING = """
    flow: morning
    trigger: {event: woke}
    while_waiting: parallel
    nodes:
      nine: {wait.until: {time: "09:00"}, next: call}
      call: {deliver.http: {target: crm, method: POST, path: /calls, body: {at: "{{ now }}"}}}
"""
STARTS = "send: {type: cart-updated}"


def messages(root: Path, case: str, flow: str = "cart") -> list[str]:
    """The messages of one case of a flow, whose text has all keys but its name."""
    write(root, {"flows/cart.yaml": CART, "flows/morning.yaml": MORNING})
    text = case.strip("\n").replace("\n", "\n    ")
    (failures,) = failures_of(root, f"flow: {flow}\nflows: []\nsource: shop\ncases:\n  - name: it\n    {text}\n")
    return [failure.message for failure in failures]


@pytest.mark.parametrize(("case", "expected"), [
    pytest.param(
        f"""
steps:
  - {STARTS}
    expect: {{outcome: paused, waits: [{{flow: cart, for: [order-paid, cart-emptied], until: 2h}}]}}
  - advance: 119m
    expect: {{waits: [{{flow: cart, until: 1m}}], profile: {{traits: {{}}}}, emitted: []}}
  - advance: 1m
    expect: {{waits: [{{flow: cart, for: [], until: "2026-01-02T14:00:00Z"}}], profile: {{traits.reminders: 1}}}}
  - advance: 2d
    expect:
      outcome: finished
      waits: []
      emitted: [{{type: reminded-again, properties: {{at: 1767362400000}}}}]
""",
        [],
        id="each wait ends at its time",
    ),
    pytest.param(
        f"""
steps:
  - {STARTS}
  - advance: 1h
  - {STARTS}
    expect: {{waits: [{{flow: cart, until: 2h}}]}}
  - send: {{type: cart-emptied}}
    expect: {{outcome: finished, waits: []}}
  - advance: 3d
    expect: {{profile: {{traits: {{}}}}, emitted: []}}
""",
        [],
        id="an event ends the wait that began last",
    ),
    pytest.param(
        f"""
steps:
  - {STARTS}
    expect: {{waits: []}}
""",
        ["expected that no run waits; now `cart` waits"],
        id="none is expected",
    ),
    pytest.param(
        f"""
steps:
  - {STARTS}
    expect: {{waits: [{{flow: cart}}, {{flow: cart}}]}}
""",
        ["expected that `cart`, `cart` wait; now `cart` waits"],
        id="two are expected",
    ),
    pytest.param(
        f"""
steps:
  - {STARTS}
    expect: {{waits: [{{flow: cart, until: 1h, for: order-paid}}]}}
""",
        [
            'expected `until` of the wait of `cart` to be "1h"; it is "2h"',
            'expected `for` of the wait of `cart` to be ["order-paid"]; it is ["order-paid", "cart-emptied"]',
        ],
        id="another one is expected",
    ),
])  # fmt: skip
def test_a_case_says_what_waits(tmp_path: Path, case: str, expected: list[str]) -> None:
    assert sorted(messages(tmp_path, case)) == sorted(expected)


def test_waits_of_several_visitors_end_in_the_order_of_their_times(tmp_path: Path) -> None:
    case = """
steps:
  - send: {visitor: ann, type: woke}
    expect: {waits: [{flow: morning, until: "2026-01-02T09:00:00Z"}]}
  - send: {visitor: bo, type: woke}
    expect: {waits: [{flow: morning}, {flow: morning}], deliveries: []}
  - advance: 1d
    expect:
      waits: []
      deliveries: [{target: crm, body: {at: 1767344400000}}, {target: crm, body: {at: 1767344400000}}]
"""
    assert messages(tmp_path, case, "morning") == []
