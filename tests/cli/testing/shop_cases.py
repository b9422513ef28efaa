"""A shop for tests of flow tests: its files, and functions that run cases in it."""

import asyncio
from pathlib import Path
from textwrap import dedent

from cli.testing.expectations import Failure
from cli.testing.run_case import run_case
from cli.testing.step_runner import StepRunner, traced_project
from effects.virtual_time_loop import VirtualTimeLoop
from flows.cases import load_cases
from flows.project import load_project
from nodes import builtin

SHOP = {
    "headrace.yaml": "targets:\n  crm: {url: https://crm.example}\n"
    "  mail: {url: 'smtp://mail.example', sender: shop@shop.example}\n"
    "keys: {traits.card: exact}\nidentity: {user: traits.account}\n",
    "sources/shop.yaml": "source: shop\nidentify: trust\n",
    "sources/page.yaml": "source: page\n",
    "sources/trial.yaml": "source: trial\nmode: test\n",
    "sources/old.yaml": "source: old\nenabled: false\n",
    "segments/shown.yaml": "segment: shown\ncondition: profile.traits.shown > 0\n",
    "segments/vip.yaml": "segment: vip\nmanual: true\n",
    "segments/rich.yaml": "segment: rich\ncondition: profile.traits.revenue >= 300\n",
    "segments/regulars.yaml": "segment: regulars\ncondition: counted('visits', '30d') >= 2\n",
    "segments/patient.yaml": "segment: patient\ncondition: profile.traits.revenue > 0\nfor: 7d\n",
    "segments/away.yaml": """
        segment: away
        condition: now - days(5) < profile.metadata.last_seen < now - days(3)
    """,
    "flows/order.yaml": """
        flow: order
        trigger: {event: order-paid, when: event.properties.total > 0}
        profile: required
        nodes:
          recognise:
            profile.merge: {pii.email: "{{ event.properties.email }}"}
            next: {merged: revenue, unchanged: revenue, failed: revenue}
          revenue:
            profile.increment: {traits.revenue: "{{ event.properties.total }}"}
            next: big
          big:
            if: event.properties.total >= 100
            next: {then: [crm, vip], else: note}
          vip:
            segment.add: vip
          crm:
            lookup.http:
              target: crm
              method: POST
              path: /tiers
              body: {email: "{{ profile.pii.email | default('') }}"}
            retry: {times: 2, backoff: 100ms}
            next: {found: tier, missing: note, failed: note}
          tier:
            profile.set: {traits.tier: "{{ nodes.crm.out.tier }}"}
          note:
            event.emit: {type: order-noted, properties: {total: "{{ event.properties.total }}"}}
    """,
    "flows/noted.yaml": """
        flow: noted
        trigger: {event: order-noted}
        consents: news
        nodes:
          say:
            respond: {noted: "{{ event.properties.total }}"}
    """,
    "flows/shipped.yaml": """
        flow: shipped
        trigger: {event: order-shipped}
        nodes:
          mail:
            deliver.email:
              target: mail
              to: "{{ event.properties.email }}"
              subject: On its way
              text: "{{ event.properties.order }}"
            next: {done: crm, failed: crm}
          crm:
            deliver.http:
              target: crm
              method: PUT
              path: "/orders/{{ event.properties.order }}"
              body: {state: shipped}
              order: profile
              after: 120m
            next: {failed: late}
          late:
            log: no order
    """,
    "flows/visits.yaml": """
        flow: visits
        trigger: {event: session-opened}
        nodes:
          count:
            profile.count: visits
            next: colour
          colour:
            event.set: {properties.colour: blue}
    """,
    "flows/gone.yaml": """
        flow: gone
        trigger: {event: segment-left, when: event.properties.segment == 'regulars'}
        nodes:
          miss:
            profile.set: {traits.missed: true}
            next: back
          back:
            event.emit: {type: win-back}
    """,
    "flows/lost.yaml": """
        flow: lost
        trigger: {event: segment-left, when: event.properties.segment == 'regulars'}
        consents: news
        nodes:
          tell:
            log: lost
    """,
    "flows/same.yaml": """
        flow: same
        trigger: {event: linked}
        nodes:
          link:
            profile.alias: "{{ event.properties.before }}"
            next: {missing: unknown}
          unknown:
            stop: unknown
    """,
    "flows/card.yaml": """
        flow: card
        trigger: {event: card-shown}
        nodes:
          owner:
            profile.attach: {key: {traits.card: "{{ event.properties.card }}"}}
            next: {attached: count, missing: stranger}
          count:
            profile.increment: {traits.shown: 1}
          stranger:
            stop: a stranger
    """,
}


def write(root: Path, files: dict[str, str]) -> Path:
    """Write files, whose texts may be indented, below `root`."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(dedent(text))
    return root


def failures_of(root: Path, cases: str) -> list[list[Failure]]:
    """Return the failures of each case of a test file of the shop."""
    write(root, {**SHOP, "flows/a.test.yaml": cases})
    loaded = load_project(root, builtin(), {})
    assert not loaded.failed, [each.message for each in loaded.diagnostics]
    cases_loaded = load_cases(root, loaded)
    assert cases_loaded.diagnostics == (), [each.message for each in cases_loaded.diagnostics]
    project = traced_project(loaded.project)

    async def run_all() -> list[list[Failure]]:
        file = cases_loaded.files[0].file
        played = [
            await run_case(StepRunner(project, file, case), case, ("cases", i)) for i, case in enumerate(file.cases)
        ]
        return [each.failures for each in played]

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(run_all())


def messages_of(root: Path, case: str) -> list[str]:
    """Return the messages of one case, whose text has all keys but its name."""
    text = dedent(case).strip("\n").replace("\n", "\n    ")
    (failures,) = failures_of(root, f"flow: order\nsource: shop\ncases:\n  - name: it\n    {text}\n")
    return [failure.message for failure in failures]
