"""Every key of `expect`: cases that it accepts, and the messages of those that it does not."""

from pathlib import Path

import pytest
from msgspec.structs import fields

from cli.testing.expectations import CHECKS
from flows.case import Expect
from tests.cli.testing.shop_cases import messages_of

PAID = "event: {type: order-paid, properties: {total: 5}}\n"
LARGE = (
    "event: {type: order-paid, properties: {total: 400, email: A@example.com}}\nmocks: {crm: {body: {tier: gold}}}\n"
)
SHIPPED = "event: {type: order-shipped, properties: {email: a@example.com, order: A/1}}\n"
MAYBE = "{type: consent-changed, properties: {consents: {news: maybe}}}"
NEVER = 'a consent is true, false or {"given": true, "expires_in": "365d"} (at /events/0/properties/consents/news)'
DEEP = "{a: " * 21 + "1" + "}" * 21
TWO = """
given: {profiles: {ann: {pii: {email: a@example.com}}, bo: {traits: {revenue: 290}}}}
steps:
  - send: {visitor: bo, type: order-paid, properties: {total: 20}}
    expect: """


def test_every_key_of_expect_has_a_check() -> None:
    assert {field.name for field in fields(Expect)} == set(CHECKS)


@pytest.mark.parametrize(("case", "messages"), [
    pytest.param(PAID + "expect: {outcome: finished}", [], id="outcome"),
    pytest.param(
        PAID + "expect: {outcome: failed}", ["expected `order` to be failed; it was finished"], id="another outcome"
    ),
    pytest.param(
        "event: {type: order-paid}\nexpect: {outcome: not-triggered, runs: {noted: not-triggered}}",
        [],
        id="not triggered",
    ),
    pytest.param(
        "event: {type: walk}\nexpect: {outcome: finished}",
        ["expected `order` to be finished; it was not-triggered"],
        id="an event of no flow",
    ),
    pytest.param(
        """
steps:
  - send: {events: [{type: walk, id: e-1, properties: {a: 1}}, {type: walk, id: e-1, properties: {a: 1}}]}
    expect: {event: {id: e-1, disposition: duplicate, properties: {a: 1}}}
""",
        [],
        id="an id that stands twice in a payload",
    ),
    pytest.param(PAID + "expect: {runs: {noted: filtered}}", [], id="filtered by a consent"),
    pytest.param(
        PAID + "expect: {runs: {noted: {outcome: finished}}}",
        ["expected `noted` to be finished; it was filtered"],
        id="an outcome of another flow",
    ),
    pytest.param(PAID + "expect: {ports: {big: else, note: done}}", [], id="ports"),
    pytest.param(
        PAID + "expect: {ports: {big: then, crm: found}}",
        ["expected `big` to leave by `then`; it left by `else`", "expected `crm` to leave by `found`; it did not run"],
        id="another port and a node that did not run",
    ),
    pytest.param(PAID + "expect: {path: [recognise, revenue, big, note]}", [], id="path"),
    pytest.param(LARGE + "expect: {path: [recognise, revenue, big, [vip, crm], tier]}", [], id="a path with branches"),
    pytest.param(
        PAID + "expect: {path: [recognise, [big, note]]}",
        ["expected `order` to run recognise › [big, note]; it ran recognise › revenue › big › note"],
        id="another path",
    ),
    pytest.param(
        PAID + "expect: {path: [recognise, revenue, big]}",
        ["expected `order` to run recognise › revenue › big; it ran recognise › revenue › big › note"],
        id="a path that went on",
    ),
    pytest.param("event: {type: walk}\nexpect: {path: []}", [], id="no path"),
    pytest.param(
        f"event: {MAYBE}\nexpect: {{refused: nothing-accepted, outcome: not-triggered, profile: null}}",
        [],
        id="refused",
    ),
    pytest.param("event: {type: walk, source: old}\nexpect: {refused: unauthorised}", [], id="a source that is off"),
    pytest.param(f"event: {{type: walk, context: {DEEP}}}\nexpect: {{refused: malformed}}", [], id="malformed"),
    pytest.param(
        f"event: {MAYBE}\nexpect: {{refused: malformed}}",
        [f"expected the payload to be refused as malformed; it was refused as nothing-accepted: {NEVER}"],
        id="refused for another reason",
    ),
    pytest.param(
        PAID + "expect: {refused: nothing-accepted}",
        ["expected the payload to be refused as nothing-accepted; it was accepted"],
        id="not refused",
    ),
    pytest.param(PAID + "expect: {refused: null}", [], id="not refused, as expected"),
    pytest.param(
        f"event: {MAYBE}\nexpect: {{refused: null}}",
        [f"the payload is refused: {NEVER}"],
        id="refused although acceptance was expected",
    ),
    pytest.param(
        "given: {profile: {consents: {news: true}}}\nsteps:\n"
        f"  - send: {MAYBE}\n    expect: {{refused: nothing-accepted, profile: {{consents.news: given}}}}\n"
        "  - send: {type: consent-changed, properties: {consents: {news: false}}}\n"
        "    expect: {profile: {consents.news: revoked}}\n",
        [],
        id="a refusal changes nothing and the case goes on",
    ),
    pytest.param(PAID + "expect: {response: null}", [], id="no response"),
    pytest.param(
        PAID + "expect: {response: {noted: 5}}",
        ['expected the response to be {"noted": 5}; it is null'],
        id="a missing response",
    ),
    pytest.param(
        "given: {profile: {consents: {news: true}}}\n" + PAID + "expect: {response: {noted: 6}}",
        ["expected `noted` of the response to be 6; it is 5"],
        id="another response",
    ),
    pytest.param(
        PAID + "expect: {event: {type: order-paid, properties.total: 5, origin: client, disposition: stored}}",
        [],
        id="event",
    ),
    pytest.param(
        PAID + "expect: {event: {properties.total: 6, properties.colour: blue}}",
        [
            "expected `properties.total` of the event to be 6; it is 5",
            'expected `properties.colour` of the event to be "blue"; it is absent',
        ],
        id="another event",
    ),
    pytest.param(PAID + "expect: {emitted: [order-noted]}", [], id="emitted"),
    pytest.param(PAID + "expect: {emitted: [{type: order-noted, properties: {total: 5}}]}", [], id="with properties"),
    pytest.param(
        PAID + "expect: {emitted: []}",
        ["expected no event to be emitted; `order-noted` was emitted"],
        id="emitted although no event was expected",
    ),
    pytest.param(
        PAID + "expect: {emitted: [{type: order-noted, properties: {total: 7}}]}",
        ["expected `properties.total` of `order-noted` to be 7; it is 5"],
        id="emitted with other properties",
    ),
    pytest.param(PAID + "expect: {calls: {crm: 0}}", [], id="no calls"),
    pytest.param(
        LARGE + "expect: {calls: {order.crm: [{method: POST, body: {email: a@example.com}}]}}", [], id="calls"
    ),
    pytest.param(
        LARGE + "expect: {calls: {crm: 2}}", ["expected `crm` to make 2 requests; it made 1"], id="more calls"
    ),
    pytest.param(
        LARGE + "expect: {calls: {crm: [{path: /tier}]}}",
        ['expected `path` of `crm` to be "/tier"; it is "/tiers"'],
        id="another call",
    ),
    pytest.param(
        SHIPPED
        + "expect: {deliveries: [{target: mail, flow: shipped, node: mail, mode: live, to: a@example.com, text: A/1},"
        " {target: crm, path: /orders/A%2F1, method: PUT, body: {state: shipped}, order: profile, after: 2h}]}",
        [],
        id="deliveries",
    ),
    pytest.param(
        SHIPPED + "expect: {deliveries: [{target: mail, subject: Hello, after: 1s}, {target: crm, order: none}]}",
        [
            'expected `after` of the message to `mail` to be "1s"; it is "0s"',
            'expected `subject` of the message to `mail` to be "Hello"; it is "On its way"',
            'expected `order` of the message to `crm` to be "none"; it is "profile"',
        ],
        id="other deliveries",
    ),
    pytest.param(
        SHIPPED + "expect: {deliveries: [{target: crm, flow: shipped}]}",
        ["expected messages to `crm`; flows delivered messages to `mail`, `crm`"],
        id="fewer deliveries",
    ),
    pytest.param(PAID + "expect: {deliveries: []}", [], id="no deliveries"),
    pytest.param(
        SHIPPED.replace("type:", "source: trial, type:")
        + "expect: {deliveries: [{target: mail, mode: test}, {target: crm, mode: test}]}",
        [],
        id="deliveries of a source in test mode",
    ),
    pytest.param(
        "event: {type: order-shipped, profile_less: true, properties: {email: a, order: 1}}\n"
        "expect: {runs: {shipped: {ports: {mail: failed, crm: failed}}}, deliveries: []}",
        [],
        id="messages that cannot be sent",
    ),
    pytest.param(
        LARGE + "expect: {profile: {traits: {tier: gold, revenue: 400.0}, traits.lost: null, segments: [vip, rich]}}",
        [],
        id="profile",
    ),
    pytest.param(
        LARGE + "expect: {profile: {traits.tier: null, traits.revenue: true, segments: [vip, vip], traits: {lost: 1}}}",
        [
            'expected `traits.tier` of the profile not to be there; it is "gold"',
            "expected `traits.revenue` of the profile to be true; it is 400",
            'expected `segments` of the profile to be ["vip", "vip"]; it is ["rich", "vip"]',
            "expected `traits.lost` of the profile to be 1; it is absent",
        ],
        id="another profile",
    ),
    pytest.param(
        "event: {type: walk, profile_less: true}\nexpect: {profile: null}", [], id="no profile"
    ),
    pytest.param(
        "event: {type: walk, profile_less: true}\nexpect: {profile: {traits.a: 1}}",
        ["there is no profile"],
        id="a missing profile",
    ),
    pytest.param(PAID + "expect: {profile: null}", ["expected no profile; there is one"], id="an unexpected profile"),
    pytest.param(
        "given: {profile: {consents: {news: {given: true, expires_in: 1d}, ads: false}}}\n"
        "steps:\n"
        "  - send: {type: walk}\n"
        "    expect: {profile: {consents.news: given, consents: {ads: revoked}}}\n"
        "  - advance: 2d\n"
        "    expect: {profile: {consents.news: given, consents.other: absent}}\n",
        ['expected `consents.news` of the profile to be "given"; it is "expired"'],
        id="consents as words",
    ),
    pytest.param(TWO + "{profiles: {ann: {traits.revenue: null}, bo: {traits.revenue: 310}}}", [], id="profiles"),
    pytest.param(
        TWO + "{profiles: {bo: {traits.revenue: 20}}}",
        ["expected `traits.revenue` of bo to be 20; it is 310"],
        id="another profile by visitor",
    ),
    pytest.param(TWO + "{apart: [ann, bo]}", [], id="apart"),
    pytest.param(TWO + "{same: [ann, bo]}", ["expected ann and bo to be one profile; they are not"], id="not the same"),
    pytest.param(TWO + "{entered: rich, left: []}", [], id="entered"),
    pytest.param(TWO + "{entered: {bo: [rich], ann: []}}", [], id="entered by visitor"),
    pytest.param(
        TWO + "{entered: [vip], left: {bo: rich}}",
        [
            "expected bo to enter `vip`; `rich` was entered",
            "expected bo to leave `rich`; no segment was left",
        ],
        id="entered another segment",
    ),
])  # fmt: skip
def test_an_expectation_holds_or_is_reported(tmp_path: Path, case: str, messages: list[str]) -> None:
    assert messages_of(tmp_path, case) == messages
