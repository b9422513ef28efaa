"""The remedies for names that other tools have, and for features that do not exist yet, by what authors write."""

from typing import Final

_CRON: Final = 'a flow starts by a schedule: `trigger: {schedule: "0 6 * * *"}` or `trigger: {every: 15m}`'
_SCHEDULE: Final = 'write `schedule: "0 6 * * *"`, or `every: 15m`'
_SCHEDULE_LINE: Final = 'write it in the trigger: `trigger: {schedule: "0 6 * * *"}` or `trigger: {every: 15m}`'
_WEBHOOK: Final = (
    "write `event: TYPE`, and let the sender call `/collect/TYPE/SOURCE-ID`, which takes the body as properties"
)
_WAIT: Final = 'a node of its own waits: `wait: 2h`, `wait.until: {time: "09:00"}` or `wait.for: {event: order-paid}`'
_LOOP: Final = 'write `each: {in: "$.event.properties.items[*]", do: {…}}`, with the nodes of a turn below `do`'
_CODE: Final = (
    "write a node type of your own in Python (`headrace nodes new NAME`), or call an HTTP endpoint with `lookup.http`"
)
_REQUEST: Final = "`lookup.http` asks within the run, `deliver.http` sends a request that arrives after the commit"
_SEND: Final = "write `deliver.http: {target: …, body: {…}}`, with the service as a target in headrace.yaml"
_HOOK: Final = (
    "write `deliver.webhook: {target: …, type: order.paid, data: {…}}`, or `deliver.http` without a signature"
)
_MAIL: Final = 'write `deliver.email: {target: …, to: "{{ profile.pii.email }}", subject: …, text: …}`'
_SLACK: Final = "write `deliver.slack: {target: …, text: …}`"
_CALL: Final = "`event.emit` starts the flows that take the emitted event"
_COMPUTE: Final = "`let` computes values for later nodes, `profile.set` stores them in the profile"
_QUERY: Final = "call a service in front of the database with `lookup.http`"
_JOIN: Final = (
    "branches meet where their `next` names the same node; `profile.merge` merges profiles, `join: all` waits for all"
)
_SPLIT: Final = "`next: [first, second]` leads to several nodes, which run in parallel"
_END_NODE: Final = "a flow ends where no `next` follows: delete this node; `stop: reason` ends a run early"
_END_LINE: Final = "a flow ends where no `next` follows: delete this line"
_START_NODE: Final = "`trigger` starts a flow, at its first node: delete this node"
_FAILURE: Final = "wire the port `failed` of the node that may fail: `next: {failed: other_node}`"
_FILTER: Final = "write `if: …` with `next: {then: other_node}`, or `when: …` in the node that it protects"
_SHARES: Final = "write `split: {red: 50, grey: 50}`: each variant is a port"
_LIMIT: Final = "write `throttle: {most: 1, per: 1d}`"
_REPEATS: Final = 'write `deduplicate: {value: "{{ event.properties.order_id }}", within: 1d}`'
_CHECKED: Final = 'write `validate: {value: "{{ event.properties }}", schema: {…}}`; for one condition, `if`'
_TEXT: Final = "write `text.render: {template: …, values: {…}}`; a short text is a template of any value"
_PLACE: Final = 'write `geo.lookup: "{{ event.context.ip }}"`'

NODE_WORKAROUNDS: Final = {
    **dict.fromkeys(("schedule", "cron", "timer", "every"), _CRON),
    **dict.fromkeys(("wait.event", "wait_for", "wait_until", "delay", "sleep", "pause"), _WAIT),
    **dict.fromkeys(("loop", "for", "foreach", "for_each", "for-each", "map", "iterate", "repeat"), _LOOP),
    **dict.fromkeys(("while", "until", "with_items", "split_in_batches", "for_each_item"), _LOOP),
    **dict.fromkeys(("script", "code", "python", "javascript", "function", "run", "exec", "shell"), _CODE),
    **dict.fromkeys(("http", "http.get", "http.post", "http.request", "request", "fetch", "api", "rest"), _REQUEST),
    **dict.fromkeys(("curl", "graphql"), _REQUEST),
    **dict.fromkeys(("webhook", "webhook.send", "webhook.post"), _HOOK),
    **dict.fromkeys(("kafka", "queue", "publish", "sms", "push", "deliver", "delivery"), _SEND),
    **dict.fromkeys(("email", "email.send", "mail", "send_email", "smtp"), _MAIL),
    **dict.fromkeys(("slack", "slack.send"), _SLACK),
    **dict.fromkeys(("notify", "notification", "telegram", "discord", "teams", "whatsapp", "message", "send"), _SEND),
    **dict.fromkeys(("flow", "flow.call", "flow.run", "call", "subflow", "sub_flow", "include", "workflow"), _CALL),
    **dict.fromkeys(("set", "assign", "variables", "vars", "transform", "format", "compute"), _COMPUTE),
    **dict.fromkeys(("sql", "query", "database", "db", "postgres", "mysql", "mongodb", "redis"), _QUERY),
    **dict.fromkeys(("merge", "join", "gather"), _JOIN),
    **dict.fromkeys(("parallel", "fork", "branch", "concurrent"), _SPLIT),
    **dict.fromkeys(("end", "finish", "exit", "return", "done", "noop", "no_op", "pass"), _END_NODE),
    **dict.fromkeys(("start", "begin", "trigger", "on", "event"), _START_NODE),
    **dict.fromkeys(("try", "catch", "on_error", "error"), _FAILURE),
    **dict.fromkeys(("filter", "condition", "choose", "choice", "router", "decision"), _FILTER),
    **dict.fromkeys(("ab_test", "ab_split", "abtest", "experiment", "random_split", "percentage"), _SHARES),
    **dict.fromkeys(("rate_limit", "limit", "frequency_cap", "cap", "debounce", "cooldown"), _LIMIT),
    **dict.fromkeys(("dedupe", "dedup", "unique", "distinct", "once"), _REPEATS),
    **dict.fromkeys(("json_schema", "jsonschema", "schema", "assert", "check"), _CHECKED),
    **dict.fromkeys(("render", "template", "text", "jinja", "jinja2", "liquid", "handlebars"), _TEXT),
    **dict.fromkeys(("geoip", "geo", "geoip.lookup", "ip_lookup", "geolocate", "maxmind"), _PLACE),
    **dict.fromkeys(("print", "debug", "echo"), "write `log: …`"),
    **dict.fromkeys(("goto", "jump"), "write `next: other_node` in the node before"),
    **dict.fromkeys(("tag", "add_tag", "label"), "`segment.add` adds the profile to a segment"),
}
TRIGGER_WORKAROUNDS: Final = {
    **dict.fromkeys(("schedule", "cron", "timer", "every", "interval"), _SCHEDULE),
    **dict.fromkeys(("webhook", "http", "url", "path"), _WEBHOOK),
    **dict.fromkeys(("condition", "conditions", "if", "filter", "where"), "write `when: …`"),
    **dict.fromkeys(("properties", "property", "data", "payload", "match"), "write `when: event.properties.total > 0`"),
    **dict.fromkeys(("zone", "tz", "time_zone", "timeZone"), "write `timezone: Europe/Berlin`"),
    **dict.fromkeys(("catchup", "misfire", "backfill"), "write `catch_up: last`, `none` or `all`"),
    **dict.fromkeys(("segment", "segments", "audience"), "write `for: segment NAME` beside `schedule`"),
    **dict.fromkeys(("timeout",), "write `deadline: 10m`"),
    **dict.fromkeys(("sources", "from"), "write `source: …`, a name or a list of names"),
    **dict.fromkeys(("profile", "consents"), "write it beside `trigger`, as a key of the flow"),
}
_BRANCHES: Final = "write `next: {then: other_node, else: other_node}`"
_DESCRIBED: Final = "delete this line, or write it into `description:`"
_IN_TRIGGER: Final = "write it in the trigger: `trigger: {event: …, when: …}`"
_IN_NODE: Final = "write it in the node that makes the request, beside its type"
_NEXT: Final = "write `next: other_node` in each node"
FLOW_WORKAROUNDS: Final = {
    **dict.fromkeys(("schedule", "cron", "timer", "every", "interval"), _SCHEDULE_LINE),
    **dict.fromkeys(("webhook",), _WEBHOOK),
    **dict.fromkeys(("vars", "env", "variables", "inputs", "input", "constants", "params", "parameters"), _COMPUTE),
    **dict.fromkeys(("let", "set", "defaults"), _COMPUTE),
    **dict.fromkeys(
        ("secrets",), 'secrets belong to a target in headrace.yaml: `headers: {Authorization: "${env:KEY}"}`'
    ),
    **dict.fromkeys(("version", "apiVersion", "kind", "namespace", "metadata", "tags", "labels", "author"), _DESCRIBED),
    **dict.fromkeys(("id", "name", "alias", "title", "label"), _DESCRIBED),
    **dict.fromkeys(
        ("enabled", "disabled", "active"),
        "`disabled: true` is a key of a node; to stop a flow, move its file elsewhere",
    ),
    **dict.fromkeys(("timeout", "retry", "retries", "deadline"), _IN_NODE),
    **dict.fromkeys(("on_error", "on_failure", "onError", "errors", "error", "catch", "fallback", "finally"), _FAILURE),
    **dict.fromkeys(
        ("mode", "concurrency", "parallel", "max_parallel"),
        "events of a profile take turns; a flow with a node that waits says `while_waiting: restart`, or another word",
    ),
    **dict.fromkeys(("edges", "connections", "links", "transitions", "next"), _NEXT),
    **dict.fromkeys(("condition", "conditions", "if", "when", "filter", "where"), _IN_TRIGGER),
    **dict.fromkeys(("source", "sources"), "write it in the trigger: `trigger: {event: …, source: …}`"),
    **dict.fromkeys(("event", "events", "on", "triggers"), "write it in the trigger: `trigger: {event: …}`"),
    **dict.fromkeys(("foreach", "loop", "for_each"), _LOOP),
    **dict.fromkeys(("end", "stop"), _END_LINE),
    **dict.fromkeys(
        ("outputs", "output", "return", "response", "respond"), "a node answers the sender: `respond: {…}`"
    ),
    **dict.fromkeys(("segments",), "a segment is a file of its own: segments/NAME.yaml"),
    **dict.fromkeys(("targets", "fields", "keys", "retention"), "this is a key of headrace.yaml"),
    **dict.fromkeys(("tests", "cases"), "tests are in a file of their own, which ends in .test.yaml"),
}
NODE_KEY_WORKAROUNDS: Final = {
    **dict.fromkeys(("id", "key"), "the key above is the node's id: delete this line"),
    **dict.fromkeys(("name", "title", "label", "alias", "comment"), "write `description: …`"),
    **dict.fromkeys(("foreach", "loop", "for_each", "for", "with_items", "repeat", "while", "until"), _LOOP),
    **dict.fromkeys(("wait", "delay", "sleep", "pause"), _WAIT),
    "while_waiting": "it is about the flow: write it above `nodes`, not in a node",
    **dict.fromkeys(("end", "stop", "final", "return"), _END_LINE),
    **dict.fromkeys(("on_true", "on_false", "if_true", "if_false", "true", "false"), _BRANCHES),
    **dict.fromkeys(
        ("cases", "case", "branches", "choices"), "write `switch: {gold: condition}` and `next: {gold: other_node}`"
    ),
    **dict.fromkeys(("retries", "attempts", "max_retries"), "write `retry: {times: 3, backoff: 500ms}`"),
    **dict.fromkeys(("backoff", "times"), "write `retry: {times: 3, backoff: 500ms}`"),
    **dict.fromkeys(("enabled", "active", "skip"), "write `disabled: true` to switch a node off"),
    **dict.fromkeys(("position", "x", "y", "color", "icon", "version", "tags"), _DESCRIBED),
    **dict.fromkeys(("output", "outputs", "register", "result", "save_as"), "later nodes read `nodes.<id>.out`"),
    **dict.fromkeys(("vars", "env", "variables", "input", "inputs"), _COMPUTE),
    **dict.fromkeys(("consent", "require_consent"), "write `consents: [name]`"),
    **dict.fromkeys(("config", "with", "params", "parameters", "options"), "write the fields below the node's type"),
    **dict.fromkeys(("in_parallel", "parallel"), _SPLIT),
}
# By the name of a field in other tools: the field that it stands for, and the remedy.
FIELD_WORKAROUNDS: Final = {
    **dict.fromkeys(
        ("url", "uri", "host", "endpoint", "base_url"),
        ("target", "the host is a target of headrace.yaml, `targets: {crm: {url: …}}`: write `target: crm` here"),
    ),
    **dict.fromkeys(("params", "parameters", "qs"), ("query", "write `query: {…}`")),
    **dict.fromkeys(("data", "json", "payload", "content"), ("body", "write `body: {…}`")),
    **dict.fromkeys(("verb", "http_method"), ("method", "write `method: POST`")),
    **dict.fromkeys(("text", "msg", "value"), ("message", "write `message: …`")),
    **dict.fromkeys(("name", "event", "event_type"), ("type", "write `type: …`")),
    **dict.fromkeys(("from", "from_address"), ("sender", "write `sender: …`")),
    **dict.fromkeys(("recipient", "recipients"), ("to", "a mail has one recipient: write `to: …`")),
    **dict.fromkeys(("cc", "bcc"), ("reply_to", "a mail has one recipient: send another mail")),
    **dict.fromkeys(("as", "item_name", "var"), ("collect", "below `do`, an item is called `item`: delete this line")),
    **dict.fromkeys(("items", "list", "over", "array"), ("in", "write `in: …`")),
    **dict.fromkeys(("nodes", "steps"), ("do", "write `do: …`")),
    **dict.fromkeys(("body", "message"), ("text", "write `text: …`")),
    **dict.fromkeys(("concurrency", "parallel", "batch_size"), ("at_once", "write `at_once: 4`")),
    **dict.fromkeys(("expires", "expiry", "max_age", "expire"), ("ttl", "write `ttl: 1h`")),
}
RETRY_WORKAROUNDS: Final = {
    **dict.fromkeys(("count", "attempts", "max", "max_attempts", "max_retries", "limit"), "write `times: 3`"),
    **dict.fromkeys(
        ("delay", "interval", "wait", "pause", "initial"), "write `backoff: 500ms`: the first pause, which doubles"
    ),
}
