"""Sends events by Rakam's Python client: `python rakam_python.py < script.json`.

The client raises whatever goes wrong, so this sends again what it could not deliver, as a program with it must.
"""

import json
import sys
import time
from collections.abc import Callable
from itertools import islice
from typing import Any

from rakam_client.api_client import ApiClient
from rakam_client.apis.collect_api import CollectApi
from rakam_client.models.event import Event
from rakam_client.models.event_context import EventContext
from rakam_client.models.event_list import EventList
from rakam_client.rest import ApiException
from urllib3.exceptions import HTTPError

TRIES = 200
PAUSE = 0.25  # seconds before the next try


def made(model: type, **fields: Any) -> Any:
    """An object of the client, whose classes take no arguments."""
    one = model()
    for name, value in fields.items():
        setattr(one, name, value)
    return one


def delivered(send: Callable[[], int]) -> None:
    """Send until the server takes it. Raises the client's error after too many tries."""
    for left in reversed(range(TRIES)):
        try:
            answer = send()
        except (ApiException, HTTPError):
            if not left:
                raise
            time.sleep(PAUSE)
        else:
            assert answer == 1, answer
            return


def main() -> None:
    """Send the events of the script on standard input: the first one alone, the others in batches."""
    script = json.load(sys.stdin)
    api = CollectApi(ApiClient(host=script["address"]))
    context = made(EventContext, api_key=script["key"])
    first, *others = script["calls"]
    delivered(lambda: api.collect_event(event=made(Event, api=context, **first)))
    calls = iter(others)
    while batch := list(islice(calls, script["batch"])):
        events = [made(Event, **call) for call in batch]
        delivered(lambda events=events: api.batch_events(event_list=made(EventList, api=context, events=events)))


if __name__ == "__main__":
    main()
