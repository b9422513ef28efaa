"""Workarounds for features that do not exist yet, by the names under which authors look for such features."""

from typing import Final

_SCHEDULE: Final = "let the cron of your system send an event with `curl`, and write its type as `event`"
_WEBHOOK: Final = (
    "write `event: TYPE`, and let the sender call `/collect/TYPE/SOURCE-ID`, which takes the body as properties"
)
_WAIT: Final = "a run ends within one request: use a segment with `for: 3d`, and a flow that takes `segment-entered`"
_LOOP: Final = "let the client send one event for each item; the filters `sum`, `min`, `max` and `join` work on lists"
_CODE: Final = "put the code behind an HTTP endpoint and call it with `lookup.http`"
_SEND: Final = "`lookup.http` sends a request within the run; if it must arrive, let a program read emitted events"
_CALL: Final = "`event.emit` starts the flows that take the emitted event"

NODE_WORKAROUNDS: Final = {
    **dict.fromkeys(("schedule", "cron", "timer"), "let the cron of your system send an event with `curl`"),
    **dict.fromkeys(("wait", "wait.event", "wait_until", "delay", "sleep", "pause"), _WAIT),
    **dict.fromkeys(("loop", "for", "foreach", "for_each", "for-each", "each", "map", "iterate"), _LOOP),
    **dict.fromkeys(("script", "code", "python", "javascript", "function"), _CODE),
    **dict.fromkeys(("webhook", "webhook.send", "http", "http.post", "email", "email.send", "sms", "push"), _SEND),
    **dict.fromkeys(("flow", "flow.call", "flow.run", "call", "subflow", "include"), _CALL),
}
TRIGGER_WORKAROUNDS: Final = {
    **dict.fromkeys(("schedule", "cron", "timer", "every", "interval"), _SCHEDULE),
    **dict.fromkeys(("webhook", "http", "url"), _WEBHOOK),
}
