"""Sends calls by PostHog's Python client: `python posthog_python.py < script.json`.

Exits with 1 if the client drops a batch.
"""

import json
import sys
from typing import Any

from posthog import Posthog


def main() -> int:
    """Send the calls of the script on standard input, and wait until the client has delivered them."""
    script = json.load(sys.stdin)
    lost: list[str] = []

    def give_up(error: Exception, batch: list[Any]) -> None:
        lost.append(f"{len(batch)} events: {error}")

    client = Posthog(
        script["key"],
        host=script["address"],
        flush_at=script["batch"],
        flush_interval=0.1,
        gzip=script["gzip"],
        max_retries=10,
        on_error=give_up,
    )
    for call in script["calls"]:
        method = call.pop("method")
        assert getattr(client, method)(**call) is not None, call
    client.shutdown()
    sys.stderr.write("\n".join(lost))
    return len(lost) > 0


if __name__ == "__main__":
    sys.exit(main())
