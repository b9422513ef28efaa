"""A project that has something behind every route, so that requests made from the API's description find something."""

from hashlib import sha256
from pathlib import Path
from textwrap import dedent
from typing import Final

SECRET: Final = "the-key-of-the-till-0123456789"
FILES: Final = {
    "headrace.yaml": """
        name: described
        keys: {pii.email: email}
        identity: {user: traits.user_id}
        runs: {keep: {finished: 1}}
        targets:
          crm: {url: "http://127.0.0.1:9", private: true}
        """,
    # The source of all examples. It takes what any client sends, with no key but its id.
    "sources/shop.yaml": """
        source: shop
        accepts: [track, segment, posthog, rakam, traintracks]
        product_secret: ${file:product-secret}
        identify: trust
        schema: learn
        debugger: true
        profiles: true
        """,
    "sources/till.yaml": f"""
        source: till
        kind: secret
        key: {sha256(SECRET.encode()).hexdigest()}
        accepts: [track, rakam, import]
        """,
    "sources/history.yaml": """
        source: history
        accepts: [import]
        identify: trust
        """,
    "sources/payments.yaml": """
        source: payments
        accepts: []
        identify: link
        """,
    "product-secret": "a-product-secret-0123456789",
    "webhooks/stripe.yaml": """
        webhook: stripe
        source: payments
        methods: [POST, PUT, GET]
        event:
          type: paid
          id: "{{ body.id }}"
          user: "{{ body.customer }}"
          properties: {kind: "{{ body.type }}"}
        """,
    "segments/customers.yaml": """
        segment: customers
        description: People who have bought
        condition: profile.traits.orders > 0
        """,
    "schemas/order-placed.yaml": """
        schema: order-placed
        fields: {total: DOUBLE}
        """,
    "flows/count-orders.yaml": """
        flow: count-orders
        trigger: {event: order-placed}
        profile: required
        nodes:
          count:
            profile.increment: {traits.orders: 1}
            next: send
          send:
            deliver.http: {target: crm, path: /orders, body: {id: "{{ event.id }}"}}
        """,
    "flows/identify.yaml": """
        flow: identify
        trigger: {event: identify}
        profile: required
        nodes:
          merge:
            profile.merge: {pii.email: "{{ event.properties.email }}"}
        """,
    "flows/remind.yaml": """
        flow: remind
        trigger: {event: order-placed}
        profile: required
        while_waiting: parallel
        nodes:
          until:
            wait.for: {event: order-paid}
            timeout: 1d
            next: {arrived: thank}
          thank:
            log: {message: "paid"}
        """,
    # Its name is that of the examples.
    "flows/fetch-orders.yaml": """
        flow: fetch-orders
        trigger: {schedule: "0 3 * * *"}
        nodes:
          note:
            log: {message: "nothing to fetch"}
        """,
}


def write_described_project(root: Path) -> Path:
    """The project, written below `root`."""
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip())
    return root
