"""`webhooks/*.yaml`: addresses to which other systems send, and how their requests become events."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from msgspec import Meta, Struct, field

from engine.flow.hash_keys import unknown_hash_keys
from engine.flow.names import ProjectNames
from engine.flow.plan import Flow
from engine.language.expression import Condition, compile_condition
from engine.language.value import Value, compile_value
from engine.problem import KeyPath, Problem, ProblemError, did_you_mean
from engine.project.secret import Secret
from engine.project.signature_check import SignatureCheck
from engine.project.source import Source
from engine.project.webhook import (
    FUNCTION,
    ITEM_ROOTS,
    REQUEST_ROOTS,
    TYPE,
    EventForEach,
    ListedEvents,
    Method,
    Reading,
    ScriptedEvents,
    Webhook,
    WebhookAnswer,
    WholeRequest,
)
from engine.tracking.intake.admission import authority
from flows.mapping import read_mapping
from flows.script import ScriptPlace, read_script
from flows.secret import resolve
from flows.signature_check import read_signature_check, secret_problems
from flows.typed import read_struct, suggest_key

EXAMPLE: Final = "function module(queryParams, body, params, headers) { … }"
MAX_MAPPINGS: Final = 20
MAX_SECRETS: Final = 2
READINGS: Final = ("event", "events", "flow", "script")
PLAIN: Final = "text/plain; charset=utf-8"

_NO_READING: Final = "H450"
_UNVERIFIED: Final = "H451"
_NOT_STARTED: Final = "H452"
_OPEN: Final = "H453"
_OTHER_NAMES: Final = {
    **dict.fromkeys(("id", "name", "identifier"), "webhook"),
    **dict.fromkeys(("code", "javascript", "js", "image", "file"), "script"),
    **dict.fromkeys(("parameters", "config", "env"), "params"),
    **dict.fromkeys(("mapping", "map", "transform", "transformation"), "event"),
    **dict.fromkeys(("foreach", "for_each", "items", "split"), "each"),
    **dict.fromkeys(("if", "filter", "condition"), "when"),
    **dict.fromkeys(("method",), "methods"),
    **dict.fromkeys(("response", "reply"), "answer"),
    **dict.fromkeys(("signature", "scheme", "auth", "verification"), "verify"),
    **dict.fromkeys(("secrets", "key", "token", "signing_secret"), "secret"),
}  # what other tools call the keys


class AnswerOfFile(Struct, frozen=True, kw_only=True):
    """An answer with a media type."""

    body: Annotated[str, Meta(description="The body of the answer, which may be a template")]
    type: Annotated[
        str, Meta(description="Its media type, e.g. text/xml", pattern=r"^(application|text)/[A-Za-z0-9.+-]+$")
    ] = "text/plain"


class WebhookFile(Struct, frozen=True, kw_only=True):
    """The keys of a file in `webhooks/`. The values of some are read by other modules."""

    webhook: Annotated[
        str,
        Meta(
            description="The name, which is the end of its address: /webhook/collect/NAME",
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        ),
    ]
    source: Annotated[str, Meta(description="The source of its events")]
    description: str = ""
    methods: Annotated[tuple[Method, ...], Meta(description="The methods that it takes", min_length=1)] = ("POST",)
    verify: Any = None
    secret: Annotated[
        str | tuple[str, ...] | None, Meta(description="The secret that signs its requests, or two while it changes")
    ] = None
    when: Annotated[str | None, Meta(description="A condition: without it, a request makes no events")] = None
    events: Annotated[
        tuple[Any, ...], Meta(description="The events of a request", min_length=1, max_length=MAX_MAPPINGS)
    ] = ()
    each: Annotated[str | None, Meta(description="A list of the request: `event` makes an event of each item")] = None
    event: Any = None
    flow: Annotated[str | None, Meta(description="The flow that takes the whole request")] = None
    script: Any = None
    params: Annotated[dict[str, Any], Meta(description="Values that expressions and the script read as `params`")] = (
        field(default_factory=dict)
    )
    answer: Annotated[
        str | AnswerOfFile | None, Meta(description="What its sender expects in the answer, e.g. a challenge")
    ] = None


class Surroundings(Struct, frozen=True, kw_only=True):
    """The parts of a project that the reader of a webhook must know. `flows` are those without errors."""

    names: ProjectNames
    sources: Mapping[str, Source]
    flows: Mapping[str, Flow]
    flow_names: frozenset[str]
    has_users: bool  # whether the project has a key for the ids of users
    public_url: str = ""  # of this server


def read_webhook(
    data: Mapping[str, Any], place: ScriptPlace, around: Surroundings
) -> tuple[Webhook | None, list[Problem]]:
    """The webhook in `data`, or None with its problems."""
    file, problems = read_struct(WebhookFile, data, "a webhook", _suggest)
    if file is None:
        return None, problems
    if (problem := around.names.problem("source", file.source)) is not None:
        problems.append(problem.below(("source",)))
    read = _Reader(place, around, problems)
    reading = read.reading(file, data)
    when = read.condition(file.when, ("when",)) if file.when is not None else None
    answer = read.answer(file.answer)
    check, secrets = read.signature(file)
    if file.script is None:
        problems += _secrets_in(file.params, ("params",))
    if reading is None or any(problem.severity == "error" for problem in problems):
        return None, problems
    webhook = Webhook(
        name=file.webhook,
        source=file.source,
        reading=reading,
        description=file.description,
        methods=file.methods,
        check=check,
        secrets=secrets,
        when=when,
        params={} if isinstance(reading, ScriptedEvents) else file.params,
        answer=answer,
    )
    source = around.sources.get(webhook.source)
    if source is None:  # it has errors of its own
        return None, problems
    warnings = _of_source(source, data, around, verified=check is not None)
    return webhook, [*problems, *warnings]


def _suggest(key: str, at: KeyPath, known: Any) -> str:
    return f"write `{_OTHER_NAMES[key]}: …`" if key in _OTHER_NAMES and not at else suggest_key(key, at, known)


class _Reader:
    """Reads the parts of a webhook that are in the language. Adds their problems to `problems`."""

    def __init__(self, place: ScriptPlace, around: Surroundings, problems: list[Problem]) -> None:
        self._place = place
        self._around = around
        self._problems = problems

    def reading(self, file: WebhookFile, data: Mapping[str, Any]) -> Reading | None:
        """Return how requests become events; None with a problem."""
        given = [key for key in READINGS if key in data]
        if len(given) != 1:
            self._problems.append(_no_reading(given))
            return None
        if file.each is not None and given != ["event"]:
            help = f"write `event:` in place of `{given[0]}:`: it makes an event of each item"
            self._problems.append(
                Problem(code=_NO_READING, message="`each` has no `event`", path=("each",), on="key", help=help)
            )
            return None
        if file.flow is not None:
            return self._flow(file)
        if file.script is not None:
            script, found = read_script(data, self._place, FUNCTION, EXAMPLE)
            self._problems += found
            return ScriptedEvents(script) if script is not None else None
        return self._mapped(file)

    def _mapped(self, file: WebhookFile) -> Reading | None:
        names = self._around.names
        if file.each is not None:
            items = self.value(file.each, ("each",))
            if items.static:
                help = 'write a template: `each: "{{ body.events }}"`'
                self._problems.append(
                    Problem(code="H404", message="`each` is a list of the request", path=("each",), help=help)
                )
            mapping, found = read_mapping(file.event, ITEM_ROOTS, ("event",), names=names)
            self._problems += found
            return EventForEach(items, mapping) if mapping is not None else None
        listed: list[tuple[KeyPath, Any]] = [(("events", index), each) for index, each in enumerate(file.events)]
        mappings = []
        for at, written in listed or [(("event",), file.event)]:
            mapping, found = read_mapping(written, REQUEST_ROOTS, at, names=names)
            self._problems += found
            if mapping is not None:
                mappings.append(mapping)
        return ListedEvents(tuple(mappings))

    def _flow(self, file: WebhookFile) -> Reading | None:
        """Return the reading by a flow, which must start on the webhook's events; None with a problem."""
        name, type = str(file.flow), f"{TYPE}{file.webhook}"
        if name not in self._around.flow_names:
            near = did_you_mean(name, self._around.flow_names)
            help = near or f"add flows/{name}.yaml with `trigger: {{event: {type}, source: {file.source}}}`"
            self._problems.append(Problem(code="H118", message=f"there is no flow `{name}`", path=("flow",), help=help))
            return None
        flow = self._around.flows.get(name)
        if flow is not None and not (flow.trigger.matches_type(type) and flow.trigger.matches_source(file.source)):
            message = f"`{name}` does not start on `{type}` of the source `{file.source}`, the event of this webhook"
            help = f"write `trigger: {{event: {type}, source: {file.source}}}` in that flow"
            self._problems.append(Problem(code=_NOT_STARTED, message=message, path=("flow",), help=help))
            return None
        return WholeRequest(name)

    def signature(self, file: WebhookFile) -> tuple[SignatureCheck | None, tuple[str, ...]]:
        """Return how requests are signed, and with which secrets; None and nothing with a problem."""
        if file.verify is None:
            if file.secret is not None:
                help = "add `verify:` with the name of a scheme, e.g. `verify: github`"
                message = "`secret` verifies nothing, since nothing says how requests are signed"
                self._problems.append(Problem(code="H403", message=message, path=("secret",), on="key", help=help))
            return None, ()
        check, found = read_signature_check(file.verify, ("verify",), self._around.public_url)
        self._problems += found
        if file.secret is None:
            help = "add `secret: ${env:NAME}`, the secret that the sender signs with"
            message = "requests are verified by a secret, and there is none"
            self._problems.append(Problem(code="H403", message=message, path=("verify",), on="key", help=help))
            return None, ()
        secrets = self._secrets(file.secret)
        if check is not None and secrets:
            self._problems += secret_problems(check, secrets, ("secret",))
        return check, secrets

    def _secrets(self, written: str | tuple[str, ...]) -> tuple[str, ...]:
        """Return the secrets to which a webhook refers; those that are there."""
        listed: list[tuple[KeyPath, str]] = [(("secret",), written)] if isinstance(written, str) else []
        if isinstance(written, tuple):
            listed = [(("secret", index), text) for index, text in enumerate(written)]
        if not 1 <= len(listed) <= MAX_SECRETS:
            message, help = f"`secret` is one secret, or {MAX_SECRETS} while it changes", "write `secret: ${env:NAME}`"
            self._problems.append(Problem(code="H404", message=message, path=("secret",), help=help))
        secrets = []
        for at, text in listed:
            try:
                secret = resolve(text, self._place.root, self._place.environment)
            except ProblemError as error:
                self._problems.append(error.problem.below(at))
                continue
            if not isinstance(secret, Secret):
                message = "a secret does not belong in the file itself"
                help = "write `secret: ${env:NAME}` or `${file:PATH}`, and put the secret there"
                self._problems.append(Problem(code="H404", message=message, path=at, help=help))
            secrets.append(secret)
        return tuple(secrets)

    def condition(self, text: str, at: KeyPath) -> Condition | None:
        """Return a compiled condition; None with a problem."""
        try:
            condition = compile_condition(text, REQUEST_ROOTS)
        except ProblemError as error:
            self._problems.append(error.problem.below(at))
            return None
        self._problems += unknown_hash_keys(at, condition, self._around.names)
        return condition

    def value(self, data: Any, at: KeyPath) -> Value:
        """Return a compiled value, which must not be used if there are problems."""
        value, found = compile_value(data, REQUEST_ROOTS)
        self._problems += [problem.below(at) for problem in found]
        for path, use in value.expressions:
            self._problems += unknown_hash_keys((*at, *path), use, self._around.names)
        return value

    def answer(self, written: str | AnswerOfFile | None) -> WebhookAnswer | None:
        """Return the answer that a webhook's file asks for."""
        if isinstance(written, AnswerOfFile):
            return WebhookAnswer(self.value(written.body, ("answer", "body")), written.type)
        return WebhookAnswer(self.value(written, ("answer",)), PLAIN) if written is not None else None


def _no_reading(given: list[str]) -> Problem:
    if given:
        message = f"`{given[0]}` and `{given[1]}` both say how requests become events"
        return Problem(code=_NO_READING, message=message, path=(given[1],), on="key", help="keep one of them")
    help = 'add `event: {type: …, id: "{{ body.id }}"}`, or one of `events`, `flow` and `script`'
    return Problem(code=_NO_READING, message="nothing says how requests become events", on="key", help=help)


def _secrets_in(params: Mapping[str, Any], at: KeyPath) -> Iterator[Problem]:
    """Yield a problem for each reference to a secret: expressions put what they read into events."""
    for name, value in params.items():
        if isinstance(value, str) and value.startswith("${"):
            help = "use the filter `hmac` with a hash key of headrace.yaml, or verify the request by `verify`"
            message = f"`{name}` would be kept with events: only the params of a script may hold secrets"
            yield Problem(code="H404", message=message, path=(*at, name), help=help)


def _of_source(source: Source, data: Mapping[str, Any], around: Surroundings, *, verified: bool) -> Iterator[Problem]:
    """Yield warnings about a webhook on its source."""
    if not verified and source.kind == "public" and authority(source) == "trust":
        yield Problem(
            code=_UNVERIFIED,
            message=f"anyone may send to this webhook, and the source `{source.source}` trusts the users it names",
            path=("source",),
            help="add `verify:` and `secret:`, or write `identify: link` in the file of the source",
            severity="warning",
        )
    if verified and source.kind == "public" and authority(source) == "trust" and source.accepts:
        yield Problem(
            code=_OPEN,
            message=f"the source `{source.source}` trusts the users it names, and anyone may send as it by "
            f"{' and '.join(source.accepts)}, without a signature",
            path=("source",),
            help="write `accepts: []` in the file of the source: then it has its webhooks alone",
            severity="warning",
        )
    if (at := _place_of_user(data)) is None:
        return
    if not around.has_users:
        yield Problem(
            code="H433",
            message="this event names a user, and the project has no key for user ids: it is always rejected",
            path=at,
            on="key",
            help="add `identity: {user: traits.user_id}` to headrace.yaml",
            severity="warning",
        )
    elif authority(source) == "refuse":
        yield Problem(
            code="H435",
            message=f"this event names a user, and the source `{source.source}` refuses that: it is always rejected",
            path=at,
            on="key",
            help="write `identify: link` in the file of the source, or `trust` for a sender that you believe",
            severity="warning",
        )


def _place_of_user(data: Mapping[str, Any]) -> KeyPath | None:
    """Return where the first mapping names a user; None if none does."""
    written: list[tuple[KeyPath, Any]] = [(("event",), data.get("event"))]
    written += [(("events", index), each) for index, each in enumerate(data.get("events") or ())]
    return next(((*at, "user") for at, each in written if isinstance(each, Mapping) and "user" in each), None)
