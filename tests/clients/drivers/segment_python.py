"""Sends calls by a Python client of Segment's protocol: `python segment_python.py segment|rudder < script.json`.

Exits with 1 if the client drops a batch.
"""

import json
import sys
from datetime import datetime
from importlib import import_module
from typing import Any

MODULES = {"segment": "segment.analytics.client", "rudder": "rudderstack.analytics.client"}
NAMES = {
    "userId": "user_id",
    "anonymousId": "anonymous_id",
    "previousId": "previous_id",
    "groupId": "group_id",
    "messageId": "message_id",
}


def arguments(call: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the client's method; a time becomes a `datetime`."""
    given = {NAMES.get(name, name): value for name, value in call.items() if name != "method"}
    return {**given, "timestamp": datetime.fromisoformat(given["timestamp"])}


def main() -> int:
    """Send the calls of the script on standard input, and wait until the client has delivered them."""
    script = json.load(sys.stdin)
    lost: list[str] = []
    client = import_module(MODULES[sys.argv[1]]).Client(
        script["key"],
        host=script["address"],
        upload_size=script["batch"],
        upload_interval=0.1,
        gzip=script["gzip"],
        on_error=lambda error, batch: lost.append(f"{len(batch)} events: {error}"),
    )
    for call in script["calls"]:
        taken, _ = getattr(client, call["method"])(**arguments(call))
        assert taken, call
    client.flush()
    client.join()
    sys.stderr.write("\n".join(lost))
    return len(lost) > 0


if __name__ == "__main__":
    sys.exit(main())
