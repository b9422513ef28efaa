"""Webhooks with a script: what the script is called with, and the events of what it has returned.

The contract is Rakam's: `module(queryParams, body, params, headers)` returns `{collection, properties}`, a list of
these, or null.
"""

from typing import Any, Final

import msgspec
from msgspec import structs

from engine.project.script import Script
from engine.tracking.foreign.items import check_number, made
from engine.tracking.foreign.rakam_api import LONGEST_AGENT, Api
from engine.tracking.foreign.rakam_event import event_of
from engine.tracking.foreign.translation import ForeignEvent, Steps, Translation
from engine.tracking.foreign.webhook import KEY_PARAMETERS, MAX_EVENTS, Delivery, id_of, shown_headers
from engine.tracking.intake.payload import Refusal, RejectedEvent

LIMIT_MS: Final = 3_000  # of a call
WRONG_RESULT: Final = "The script must return an object {collection: '', properties: {}}"


def arguments_of(delivery: Delivery, script: Script) -> list[Any]:
    """Return the arguments of a call. The body is the text that was sent; null if the method has none."""
    request = delivery.request
    body = None if request.method == "GET" else request.body.decode(errors="replace")
    query = {name: values for name, values in request.query.items() if name not in KEY_PARAMETERS}
    return [query, body, script.plain_params(), shown_headers(request)]


def result_steps(delivery: Delivery, result: Any) -> Steps:
    """Return the events that a script has returned; yield between two. Raises `Refusal` for any other result."""
    if result is None or result == "null":
        return Translation(events=())
    returned = result if isinstance(result, list) else [result]
    for each in returned:
        if not isinstance(each, dict) or not isinstance(each.get("collection"), str):
            raise Refusal("malformed", WRONG_RESULT)
    check_number(len(returned), MAX_EVENTS)
    api = _api(delivery)
    events: list[ForeignEvent | RejectedEvent] = []
    for number, each in enumerate(returned):
        if number:
            yield
        one = made(number, msgspec.json.encode(each), "", lambda item: event_of(item, api))
        if isinstance(one, ForeignEvent):
            one = structs.replace(one, id=id_of(delivery, number, one.id))
        events.append(one)
    return Translation(events=tuple(events))


def _api(delivery: Delivery) -> Api:
    """Return what a script's event may ask to have filled in, by `_ip` and `_user_agent`."""
    agent = delivery.request.headers.get(b"user-agent", b"").decode("latin-1")
    return Api(address=delivery.request.address, user_agent=agent[:LONGEST_AGENT])
