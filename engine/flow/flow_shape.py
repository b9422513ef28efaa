"""The shape of a flow's document: its name, trigger and nodes, under whatever keys the author put them."""

import re
from collections.abc import Mapping
from typing import Any, Final

from engine.flow.node_shape import NodeShape
from engine.flow.registry import Registry
from engine.flow.reshaped import BELOW_TYPE, NOT_INDENTED, OTHER_TOOL, Reshaped, first_key, shown, without
from engine.flow.schedule_shape import schedule_of
from engine.flow.trigger import TRIGGER_KEYS
from engine.flow.workarounds import TRIGGER_WORKAROUNDS
from engine.problem import KeyPath, closest

FLOW_KEYS: Final = ("flow", "description", "trigger", "profile", "consents", "start", "nodes", "keep", "while_waiting")

_NAME_KEYS: Final = ("name", "id", "alias", "workflow", "title", "flow_name", "automation")
_TRIGGER_KEYS: Final = ("on", "triggers", "event", "events", "event_type", "listen", "when")
_SCHEDULE_KEYS: Final = ("schedule", "cron", "timer", "every", "interval", "webhook")
_NODES_KEYS: Final = ("steps", "tasks", "actions", "action", "jobs", "sequence", "do", "pipeline", "stages", "states")
_EVENT_KEYS: Final = ("event_type", "event_name", "name", "on", "events", "topic", "type", "trigger", "event")
_MEANINGLESS: Final = ("type", "platform", "kind", "id", "trigger", "alias")
_TOOLS: Final = (
    (("on", "jobs"), "GitHub Actions"),
    (("id", "tasks"), "Kestra"),
    (("nodes", "connections"), "n8n"),
    (("trigger", "action"), "Home Assistant"),
    (("triggers", "actions"), "Home Assistant"),
    (("triggers", "action"), "Home Assistant"),
    (("trigger", "actions"), "Home Assistant"),
    (("flowGraph",), "Tracardi"),
    (("dag_id",), "Airflow"),
    (("dag", "tasks"), "Airflow"),
    (("input", "pipeline"), "Redpanda Connect"),
    (("document", "do"), "Serverless Workflow"),
    (("openapi",), "OpenAPI"),
    (("services",), "Docker Compose"),
    (("apiVersion", "spec"), "Kubernetes"),
    (("StartAt", "States"), "AWS Step Functions"),
)
_KEYS: Final = "a flow has the keys `flow`, `trigger` and `nodes`; `headrace init shop` makes a project with examples"
_NO_SLUG = re.compile(r"[^a-z0-9_]+")


def reshape_flow(document: Mapping[str, Any], registry: Registry) -> Reshaped:
    """The document in Headrace's shape, with the problems of its shape."""
    reshaped = Reshaped(dict(document))
    _respell(reshaped)
    _unnest(reshaped)
    if any(key not in FLOW_KEYS for key in reshaped.document):
        _indent_body(reshaped, "trigger", TRIGGER_KEYS)
        _indent_nodes(reshaped, registry)
        _find_name(reshaped)
        _find_trigger(reshaped)
        _find_nodes(reshaped)
    _outdent_trigger(reshaped)
    _trigger_in_node(reshaped)
    _unlist_trigger(reshaped)
    NodeShape(reshaped, registry).reshape()
    return reshaped


def other_tool(document: Mapping[str, Any]) -> Reshaped | None:
    """The problem of a file that was made for another tool, or has no key of a flow; None when it is a flow."""
    if isinstance(document.get("flow"), str) or not document:
        return None
    keys, message = _foreign(document)
    if not message:
        return None
    reshaped = Reshaped(dict(document))
    reshaped.add(OTHER_TOOL, message, (keys,), help=_KEYS)
    return reshaped


def _foreign(document: Mapping[str, Any]) -> tuple[str, str]:
    """The key by which a file is recognised as none of a flow, and the message about it; or two empty texts."""
    for keys, tool in _TOOLS:
        if all(key in document for key in keys):
            return keys[0], f"this is a file of {tool}, not a flow"
    if "flow" in document:
        return "", ""
    if "flows" in document:
        return "flows", "a file holds one flow, whose keys are at the beginning of a line"
    own = (*FLOW_KEYS, *_NAME_KEYS, *_TRIGGER_KEYS, *_SCHEDULE_KEYS, *_NODES_KEYS)
    if not any(key in own or closest(str(key).lower(), FLOW_KEYS) for key in document):
        return next(iter(document)), "this file has no key of a flow"
    return "", ""


def _respell(reshaped: Reshaped) -> None:
    """Misspelt keys of the flow whose right spelling is missing."""
    for key in [key for key in reshaped.document if key not in FLOW_KEYS]:
        meant = closest(str(key).lower(), FLOW_KEYS)
        if meant is None or meant in reshaped.document or key in (*_NAME_KEYS, *_TRIGGER_KEYS, *_NODES_KEYS):
            continue
        reshaped.add("H101", f"a flow has no key `{key}`", (key,), help=f"did you mean `{meant}`?")
        reshaped.moved((meant,), (key,))
        reshaped.document = {meant if name == key else name: value for name, value in reshaped.document.items()}


def _unnest(reshaped: Reshaped) -> None:
    """`flow: {name: …, trigger: …, nodes: …}`: the keys of the flow below its name."""
    raw = reshaped.document.get("flow")
    if not isinstance(raw, Mapping):
        return
    at: KeyPath = ("flow",)
    inner: Mapping[str, Any] = raw
    name_key = first_key(raw, _NAME_KEYS)
    name = str(raw[name_key]) if name_key is not None else ""
    if len(raw) == 1 and isinstance(next(iter(raw.values())), Mapping):
        name, inner = next(iter(raw.items()))
        at = ("flow", name)
    slug = slug_of(name) or "the-name"
    help = f"write `flow: {slug}`, and the other keys beside it, not below it"
    reshaped.add("H103", "`flow` is the flow's name", ("flow",), help=help)
    inner = without(inner, *_NAME_KEYS)
    for key in inner:
        reshaped.moved((key,), (*at, key))
    reshaped.document = {**reshaped.document, **inner, "flow": slug}
    for key, default in (("trigger", {}), ("nodes", None)):
        if key not in reshaped.document and not any(part in reshaped.document for part in _NODES_KEYS):
            reshaped.document[key] = default
    reshaped.partial = reshaped.document.get("nodes") is None


def _outdent_trigger(reshaped: Reshaped) -> None:
    """Keys of the flow that are indented below `trigger:`."""
    raw = reshaped.document.get("trigger")
    keys = [key for key in raw if key in FLOW_KEYS and key != "flow"] if isinstance(raw, Mapping) else []
    keys = [key for key in keys if key in ("nodes", "start", "keep") and key not in reshaped.document]
    if not isinstance(raw, Mapping) or not keys:
        return
    for key in keys:
        message = f"`{key}` is a key of the flow, not of `trigger`"
        reshaped.add(BELOW_TYPE, message, ("trigger", key), help="indent it as `trigger`")
        reshaped.moved((key,), ("trigger", key))
    moved = {key: raw[key] for key in keys}
    reshaped.document = {**reshaped.document, "trigger": without(raw, *keys), **moved}


def _trigger_in_node(reshaped: Reshaped) -> None:
    """A trigger that is written as a node, when the flow has none."""
    document = reshaped.document
    nodes = document.get("nodes")
    if document.get("trigger") is not None or not isinstance(nodes, Mapping):
        return
    id = next((id for id, node in nodes.items() if isinstance(node, Mapping) and "trigger" in node), None)
    if id is None:
        return
    raw = nodes[id]["trigger"]
    help = "write it above `nodes:`; the flow starts at its first node"
    reshaped.add("H101", "`trigger` is a key of the flow, not of a node", ("nodes", id, "trigger"), help=help)
    reshaped.unread.add(str(id))
    reshaped.moved(("trigger",), ("nodes", id, "trigger"))
    reshaped.document = {**document, "trigger": raw if isinstance(raw, Mapping) else {}}


def _indent_body(reshaped: Reshaped, key: str, keys: tuple[str, ...]) -> None:
    """Move the lines below an empty `key:` into it when they have some of `keys` and are not indented."""
    document = reshaped.document
    if key not in document or document[key] is not None:
        return
    names = list(document)
    body: list[str] = []
    for name in names[names.index(key) + 1 :]:
        if name not in keys:
            break
        body.append(name)
    if not body:
        return
    reshaped.add(NOT_INDENTED, _not_indented(body, key), (body[0],), help=_indent(body, key))
    for name in body:
        reshaped.moved((key, name), (name,))
    reshaped.document = {**without(document, *body), key: {name: document[name] for name in body}}


def _indent_nodes(reshaped: Reshaped, registry: Registry) -> None:
    """Move nodes at the level of the flow's keys below `nodes:`."""
    document = reshaped.document
    nodes = document.get("nodes")
    if "nodes" not in document or not (nodes is None or isinstance(nodes, Mapping)):
        return
    names = list(document)
    body = [
        name
        for name in names[names.index("nodes") + 1 :]
        if name not in FLOW_KEYS and registry.is_node(document[name]) and name not in (nodes or {})
    ]
    if not body:
        return
    reshaped.add(NOT_INDENTED, _not_indented(body, "nodes"), (body[0],), help=_indent(body, "nodes"))
    for name in body:
        reshaped.moved(("nodes", name), (name,))
    moved = {name: document[name] for name in body}
    reshaped.document = {**without(document, *body), "nodes": {**(nodes or {}), **moved}}


def _not_indented(body: list[str], key: str) -> str:
    names = ", ".join(f"`{name}`" for name in body[:3]) + (", …" if len(body) > 3 else "")
    return f"{names} {'is' if len(body) == 1 else 'are'} not indented, so not part of `{key}`"


def _indent(body: list[str], key: str) -> str:
    return f"put two spaces before {'this line' if len(body) == 1 else 'each of these lines'} and those below it"


def _find_name(reshaped: Reshaped) -> None:
    document = reshaped.document
    key = first_key(document, _NAME_KEYS)
    if "flow" in document or key is None or not isinstance(document[key], str | int):
        return
    name = slug_of(str(document[key])) or "the-name"
    reshaped.add("H101", f"a flow has no key `{key}`", (key,), help=f"write `flow: {name}`")
    reshaped.document = {**without(document, key), "flow": name}


def slug_of(text: str) -> str:
    """A text as the name of a flow; empty when it has no letter or digit of ASCII."""
    return _NO_SLUG.sub("-", text.lower()).strip("-_")[:100]


def _find_trigger(reshaped: Reshaped) -> None:
    """Take the trigger from the key of another tool, when there is no `trigger`."""
    document = reshaped.document
    if document.get("trigger") is not None:
        return
    schedule = first_key(document, _SCHEDULE_KEYS)
    key = first_key(document, _TRIGGER_KEYS)
    feature = schedule or (_feature(document[key]) if key is not None else "")
    if feature and (key is None or schedule is None):
        where = schedule or key or feature
        _take_feature(reshaped, feature, where, document[where])
    elif key is not None:
        parts = {name: document[name] for name in (key, "source", "when") if name in document}
        trigger = _trigger_of(key, parts)
        help = f"write `trigger: {shown(trigger or {'event': 'order-paid'})}`"
        reshaped.add("H101", f"a flow has no key `{key}`", (key,), help=help)
        for name in trigger:
            reshaped.moved(("trigger", name), (name,) if name in parts else (key,))
        reshaped.document = {**without(document, *parts), "trigger": trigger}


def _feature(raw: Any) -> str:
    """The feature that a trigger of another tool asks for and that does not exist, by its word; else empty."""
    for part in raw if isinstance(raw, list) else [raw]:
        if not isinstance(part, Mapping):
            continue
        kinds = [str(part.get(key, "")).lower() for key in ("type", "platform", "kind", "trigger")]
        words = [*part, *(re.split(r"[.:/]", kind)[-1] for kind in kinds)]
        found = next((word for word in words if word in _SCHEDULE_KEYS), "")
        if found:
            return found
    return ""


def _take_feature(reshaped: Reshaped, feature: str, key: str, raw: Any) -> None:
    """Make a trigger of what a key of another tool, or the key `trigger`, asks for."""
    if feature == "webhook":
        _add_missing_feature(reshaped, feature, (key,))
        reshaped.document = {**without(reshaped.document, key), "trigger": {}}
        return
    trigger = schedule_of(raw)
    help = f"write `trigger: {shown(trigger or {'schedule': '0 6 * * *'})}`"
    noun = "a trigger has no key `type`" if key == "trigger" else f"a flow has no key `{key}`"
    reshaped.add("H101", noun, (key,), help=help)
    for name in trigger:
        reshaped.moved(("trigger", name), (key,))
    reshaped.document = {**without(reshaped.document, key), "trigger": trigger}


def _add_missing_feature(reshaped: Reshaped, feature: str, at: KeyPath) -> None:
    """A schedule or a webhook as the trigger."""
    help = f"{TRIGGER_WORKAROUNDS[feature]}: `trigger: {{event: TYPE}}`"
    reshaped.add("H121", "webhooks cannot trigger a flow", at, help=help)


def _trigger_of(key: str, parts: Mapping[str, Any]) -> dict[str, Any]:
    """The trigger that a key of another tool describes, together with `source` and `when` beside it."""
    raw = parts[key]
    if isinstance(raw, list) and raw and all(isinstance(part, Mapping) for part in raw):
        raw = raw[0] if len(raw) == 1 else {"event": _events_of(raw)}
    if isinstance(raw, Mapping):
        trigger = _own_trigger(raw)
    elif key == "when":
        trigger = {}
    else:
        trigger = {"event": raw} if _is_words(raw) else {}
    return {**trigger, **without(parts, key), **({"when": raw} if key == "when" else {})}


def _events_of(triggers: list[Mapping[str, Any]]) -> list[str]:
    """The event types of several triggers."""
    events = [_own_trigger(trigger).get("event") for trigger in triggers]
    words = [word for event in events for word in (event if isinstance(event, list) else [event])]
    return [word for word in words if isinstance(word, str)]


def _own_trigger(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a trigger, with the event under `event`."""
    event = next((raw[key] for key in reversed(_EVENT_KEYS) if key in raw and key == "event"), None)
    for key in _EVENT_KEYS:
        if event is None and _is_words(raw.get(key)) and raw[key] not in ("event", "webhook", "schedule"):
            event = raw[key]
    own = {key: raw[key] for key in ("source", "when") if key in raw}
    return {"event": event, **own} if event is not None else own


def _is_words(raw: Any) -> bool:
    return isinstance(raw, str) or (isinstance(raw, list) and all(isinstance(word, str) for word in raw) and raw != [])


def _unlist_trigger(reshaped: Reshaped) -> None:
    """A list of triggers, a trigger whose event has another key, and one of another kind."""
    raw = reshaped.document.get("trigger")
    kind = isinstance(raw, Mapping) and any(key in raw for key in ("type", "platform", "kind"))
    if (feature := _feature(raw)) and (kind or isinstance(raw, list)):
        _take_feature(reshaped, feature, "trigger", raw)
        return
    if isinstance(raw, list) and raw and all(isinstance(item, Mapping) for item in raw):
        own = _own_trigger(raw[0])
        help = f"write `trigger: {shown(own)}`, without a dash" if own else "write `trigger: {event: order-paid}`"
        if len(raw) > 1:
            help = f"`event` takes a list: `trigger: {shown({'event': _events_of(raw)})}`; else write one flow for each"
        reshaped.add("H103", "a flow has one trigger, and it is no list", ("trigger",), help=help)
        reshaped.document = {**reshaped.document, "trigger": own if len(raw) == 1 else {}}
    elif isinstance(raw, Mapping) and "event" not in raw:
        _rename_event(reshaped, raw)


def _rename_event(reshaped: Reshaped, raw: Mapping[str, Any]) -> None:
    key = next((key for key in raw if key in _EVENT_KEYS), None)
    own = _own_trigger(raw)
    if key is None or "event" not in own:
        return
    help = f"write `trigger: {shown(own)}`"
    reshaped.add("H101", f"a trigger has no key `{key}`", ("trigger", key), help=help)
    kept = without(raw, *_EVENT_KEYS, *_MEANINGLESS)
    reshaped.moved(("trigger", "event"), ("trigger", key))
    reshaped.document = {**reshaped.document, "trigger": {"event": own["event"], **kept}}


def _find_nodes(reshaped: Reshaped) -> None:
    """Take the nodes from the key of another tool, when there is no `nodes`."""
    document = reshaped.document
    key = first_key(document, _NODES_KEYS)
    if document.get("nodes") is not None or key is None or not isinstance(document[key], Mapping | list):
        return
    example = ", a map from node id to node: `count: {…}` in place of `- id: count`"
    help = "write `nodes:`" + (example if isinstance(document[key], list) else "")
    reshaped.add("H101", f"a flow has no key `{key}`", (key,), help=help)
    reshaped.moved(("nodes",), (key,))
    reshaped.document = {**without(document, key), "nodes": document[key]}
