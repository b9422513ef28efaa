"""`headrace.yaml`: the settings of the whole project."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType, field, structs

from engine.flow.outbox_room import MAX_DELIVERIES, MAX_MESSAGE, MAX_MESSAGES, outbox_room
from engine.language.moment import zone_remedy
from engine.language.path import parse_path
from engine.language.zone import find_zone
from engine.ports.kinds import RETAINED
from engine.problem import KeyPath, Problem, ProblemError
from engine.profile.declared import Rule
from engine.profile.document import Path as FieldPath
from engine.profile.key import MAX_PER_KEY, Form, KeyRules, all_spellings, regions
from engine.project.project import MAX_OPEN, OLDEST_MS, UTC, WEEK_MS, Settings
from engine.project.retention import Retention
from engine.project.source import Target
from flows.duration import duration_ms
from flows.geo import GeoFile, read_geo
from flows.hash_keys import read_hash_keys
from flows.public_url import read_public_url
from flows.secret import resolve
from flows.store_kind import unknown_store
from flows.target import target_problems
from flows.target_credentials import REFERENCING
from flows.typed import read_struct, suggest_key

Outcome = Literal["finished", "filtered", "failed", "timed-out", "paused", "cancelled"]
Age = Annotated[str, Meta(description="How long they are kept: a whole number and a unit, e.g. 400d")]
Share = Annotated[float, Meta(description="Share of the runs with this outcome that are kept, from 0 to 1", ge=0, le=1)]

if TYPE_CHECKING:
    RetainedKind = str
else:
    RetainedKind = Literal[RETAINED]

_UNRESOLVED: Final = object()

ROOTS: Final = ("traits", "pii")  # of a profile, below which fields may be declared; a consent is always the newest
KEY_ROOTS: Final = ("traits", "pii")
A_KEY: Final = "a field that can be a key"


class Runs(Struct, frozen=True, kw_only=True):
    """Which runs are kept."""

    keep: dict[Outcome, Share] = field(default_factory=dict)


class DeclaredKey(Struct, frozen=True, kw_only=True):
    """How the values of a key are compared, and whether a profile has one of them at most."""

    form: Annotated[
        Form | UnsetType, Meta(description="The form into which the key is brought; exact when left out")
    ] = UNSET
    exclusive: Annotated[
        bool | UnsetType, Meta(description="true: no two profiles with different values of the key are merged")
    ] = UNSET


class Identity(Struct, frozen=True, kw_only=True):
    """Which key the user ids of payloads are."""

    user: Annotated[str, Meta(description="The path of user ids, e.g. traits.customer")]


class Merging(Struct, frozen=True, kw_only=True):
    """Limits on merging profiles by keys."""

    region: Annotated[
        str | None,
        Meta(description="Where phone numbers without a country code belong: two capital letters, e.g. DE"),
    ] = None
    most_per_key: Annotated[
        int,
        Meta(
            description="How many profiles may be merged into the first one that had the same value of a key",
            ge=1,
            le=99,
        ),
    ] = MAX_PER_KEY
    never: Annotated[
        tuple[str, ...],
        Meta(
            description="Values that identify no single person, e.g. info@shop.example, as keys and as ids",
            max_length=1000,
        ),
    ] = ()


class Deduplication(Struct, frozen=True, kw_only=True):
    """How long an event id takes effect only once."""

    window: Annotated[str, Meta(description="How long event ids are remembered, e.g. 7d")] = "7d"


class Events(Struct, frozen=True, kw_only=True):
    """Rules on the own times of events."""

    oldest: Annotated[str, Meta(description="The age beyond which `event.late` is true, e.g. 400d")] = "400d"


class Deliveries(Struct, frozen=True, kw_only=True):
    """Limits on the messages that flows send to other systems. A unit is the events of one payload."""

    most_per_unit: Annotated[int, Meta(description="Deliveries of one unit", ge=1, le=10_000)] = MAX_DELIVERIES
    most_bytes: Annotated[int, Meta(description="Bytes of one message", ge=1_024, le=1_048_576)] = MAX_MESSAGE
    most_bytes_per_unit: Annotated[
        int, Meta(description="Bytes of all messages of one unit", ge=1_024, le=8_388_608)
    ] = MAX_MESSAGES
    most_open: Annotated[
        int, Meta(description="Deliveries that may wait for one target, about", ge=1, le=100_000_000)
    ] = MAX_OPEN


class SettingsFile(Struct, frozen=True, kw_only=True):
    """The keys of `headrace.yaml`; none is required."""

    name: Annotated[str, Meta(description="What the project is called; the directory's name when left out")] = ""
    store: Annotated[str | None, Meta(description="sqlite:PATH, elasticsearch:http://host:9200 or memory:")] = None
    targets: Annotated[
        dict[str, Target], Meta(description="Systems that look-ups and deliveries may call, by name")
    ] = field(default_factory=dict)
    fields: Annotated[
        dict[str, Literal["newest", "oldest", "min", "max"]],
        Meta(description="Which of several set values a profile shows, by path, e.g. traits.first_seen: oldest"),
    ] = field(default_factory=dict)
    timezone: Annotated[
        str,
        Meta(description="The time zone of days and times for which a flow or segment names none, e.g. Europe/Berlin"),
    ] = UTC
    keys: Annotated[
        dict[
            str,
            Annotated[
                Form | DeclaredKey,
                Meta(description="write a form, e.g. `email`, or a map, e.g. `{form: exact, exclusive: true}`"),
            ],
        ],
        Meta(description="The form into which keys are brought, by path, e.g. pii.email: email"),
    ] = field(default_factory=dict)
    identity: Annotated[
        Identity | None,
        Meta(description="The path of the user ids of payloads, as a map, e.g. {user: traits.customer}"),
    ] = None
    merging: Merging = Merging()
    spool: Annotated[
        Literal["on", "off"],
        Meta(description="on or off: whether payloads wait on this machine while the store is unavailable"),
    ] = "off"
    disable_dynamic_schema: Annotated[
        bool,
        Meta(description="true: no source learns new fields; each is as with `schema: fixed`, unless it says none"),
    ] = False
    spool_dir: Annotated[str | None, Meta(description="The folder where they wait; .headrace/spool when left out")] = (
        None
    )
    hash_keys: Annotated[
        dict[str, str], Meta(description="Secrets of the filter `hmac`, by name, e.g. {partner: '${env:PARTNER_KEY}'}")
    ] = field(default_factory=dict)
    geo: Annotated[
        GeoFile | None, Meta(description="The database of places, as a map, e.g. {database: GeoLite2-City.mmdb}")
    ] = None
    public_url: Annotated[
        str, Meta(description="The address at which other systems reach this server, e.g. https://events.shop.example")
    ] = ""
    runs: Runs = Runs()
    events: Events = Events()
    deliveries: Deliveries = Deliveries()
    deduplication: Deduplication = Deduplication()
    retention: Annotated[
        dict[RetainedKind, Age],
        Meta(description="How long events, runs and rejected events are kept; for ever when left out"),
    ] = field(default_factory=dict)


class LoadedSettings(Struct, frozen=True, kw_only=True):
    """The content of `headrace.yaml`. `named_targets` includes targets with errors, which were meant to exist."""

    name: str = ""
    settings: Settings = Settings()
    targets: Mapping[str, Target] = field(default_factory=dict)
    fixed_schema: bool = False  # for all sources
    named_targets: frozenset[str] = frozenset()
    named_hash_keys: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()


def read_settings(data: Any, root: Path, environment: Mapping[str, str]) -> LoadedSettings:
    """The settings in `data`; when they have errors, the defaults with the store in `data`.

    Falling back to the default store would split the data over two stores.
    """
    raw_targets = data.get("targets") if isinstance(data, Mapping) else None
    names = _target_names(raw_targets)
    unresolved: list[Problem] = []
    if isinstance(raw_targets, Mapping):
        targets = {name: _with_secrets(raw, name, root, environment, unresolved) for name, raw in raw_targets.items()}
        data = {**data, "targets": {name: raw for name, raw in targets.items() if raw is not _UNRESOLVED}}
    file, problems = read_struct(SettingsFile, {} if data is None else data, "headrace.yaml", _suggest_key)
    problems = [*unresolved, *[_with_map_remedy(problem, data) for problem in problems]]
    if file is None:
        store = data.get("store") if isinstance(data, Mapping) else None
        settings = Settings(store=store if isinstance(store, str) else None)
        return LoadedSettings(
            settings=settings, named_targets=names, named_hash_keys=_names(data, "hash_keys"), problems=tuple(problems)
        )
    problems += [*target_problems(file.targets), *unknown_store(file.store)]
    settings = Settings(
        store=file.store,
        fields=_declared(file.fields, problems),
        keys=_keys(file, problems),
        shares={str(outcome): share for outcome, share in file.runs.keep.items()},
        timezone=_timezone(file.timezone, problems),
        window_ms=duration_ms(file.deduplication.window, ("deduplication", "window"), problems) or WEEK_MS,
        oldest_ms=duration_ms(file.events.oldest, ("events", "oldest"), problems) or OLDEST_MS,
        retention=_retention(file.retention, problems),
        outbox=outbox_room(
            file.deliveries.most_per_unit, file.deliveries.most_bytes, file.deliveries.most_bytes_per_unit
        ),
        most_open=file.deliveries.most_open,
        hash_keys=read_hash_keys(file.hash_keys, root, environment, problems),
        geo=read_geo(file.geo, root, problems),
        public_url=read_public_url(file.public_url, problems),
        spool=file.spool == "on",
        spool_dir=file.spool_dir,
    )
    return LoadedSettings(
        name=file.name,
        settings=settings,
        targets=file.targets,
        fixed_schema=file.disable_dynamic_schema,
        named_targets=names,
        named_hash_keys=frozenset(file.hash_keys),
        problems=tuple(problems),
    )


def _suggest_key(key: str, at: KeyPath, known: Iterable[str]) -> str:
    """The remedy for an unknown key: the folder of what is no setting, or the known key that was meant."""
    if not at and key.removesuffix("s") in ("flow", "segment", "source", "schema"):
        return f"write a file for each in {key.removesuffix('s')}s/"
    if not at and key in ("env", "secrets", "variables"):
        return "`${env:NAME}` in the url or a header of a target reads the environment"
    if key in ("exclusive", "unique") and at in ((), ("merging",), ("identity",)):
        return "declare it at the key: `keys: {traits.customer: {exclusive: true}}`"
    if not at and key == "identify":
        return "write it in the file of a source, in sources/"
    if at in (("keys", "traits"), ("keys", "pii")):
        return f"write the path as one name below `keys`: `{at[1]}.{key}: …`"
    return suggest_key(key, at, known)


def _names(data: Any, key: str) -> frozenset[str]:
    """The names in a map of the settings that is perhaps wrong."""
    entries = data.get(key) if isinstance(data, Mapping) else None
    return frozenset(map(str, entries)) if isinstance(entries, Mapping) else frozenset()


def _target_names(raw: Any) -> frozenset[str]:
    """The names of all targets that are meant to exist, also of those in a list."""
    if isinstance(raw, list):
        maps = [item for item in raw if isinstance(item, Mapping)]
        return frozenset(str(word) for item in maps for word in (*item, item.get("name"), item.get("id")))
    return frozenset(raw) if isinstance(raw, Mapping) else frozenset()


def _with_secrets(raw: Any, name: str, root: Path, environment: Mapping[str, str], problems: list[Problem]) -> Any:
    """A target with the values of its references to secrets; `_UNRESOLVED` when a problem is added to `problems`."""
    if not isinstance(raw, Mapping):
        return raw
    count = len(problems)

    def resolved(value: Any, *at: str) -> Any:
        try:
            return resolve(value, root, environment) if isinstance(value, str) else value
        except ProblemError as error:
            problems.append(error.problem.below(("targets", name, *at)))
            return value

    def with_references(part: Mapping[Any, Any], *at: str) -> dict[Any, Any]:
        made = {key: resolved(value, *at, key) if key in REFERENCING else value for key, value in part.items()}
        headers = part.get("headers")
        if isinstance(headers, Mapping):
            made["headers"] = {key: resolved(value, *at, "headers", key) for key, value in headers.items()}
        return made

    target = with_references(raw)
    if isinstance(raw.get("test"), Mapping):
        target["test"] = with_references(raw["test"], "test")
    return target if len(problems) == count else _UNRESOLVED


def _timezone(name: str, problems: list[Problem]) -> str:
    if find_zone(name) is not None:
        return name
    message = f"`{name}` is not a time zone"
    problems.append(Problem(code="H404", message=message, path=("timezone",), help=zone_remedy(name)))
    return UTC


def _declared(fields: Mapping[str, str], problems: list[Problem]) -> dict[tuple[str, ...], Rule]:
    """The rules by path; `newest` is no rule, since it is the default."""
    rules: dict[str, Rule] = {rule: rule for rule in get_args(Rule)}
    paths = _paths(fields, "fields", ROOTS, "a field of profiles that flows set", problems)
    return {path: rules[fields[text]] for text, path in paths if fields[text] in rules}


def _keys(file: SettingsFile, problems: list[Problem]) -> KeyRules:
    merging = file.merging
    if merging.region is not None and merging.region not in regions():
        message = f"`{merging.region}` is not a region of phone numbers"
        remedy = "write the two capital letters of a country, e.g. DE or GB"
        problems.append(Problem(code="H404", message=message, path=("merging", "region"), help=remedy))
    declared = {
        path: _declared_key(file.keys[text]) for text, path in _paths(file.keys, "keys", KEY_ROOTS, A_KEY, problems)
    }
    user = _user_path(file, declared, problems)
    exclusive = [path for path, key in declared.items() if key.exclusive is True]
    forms: dict[FieldPath, Form] = {path: key.form for path, key in declared.items() if key.form is not UNSET}
    for path in exclusive if user is None else (*exclusive, user):
        forms.setdefault(path, "exact")
    rules = KeyRules(
        forms=tuple(forms.items()),
        region=merging.region,
        max_per_key=merging.most_per_key,
        exclusive=frozenset(exclusive if user is None else (*exclusive, user)),
        user=user,
    )
    never = [spelling for value in merging.never for spelling in all_spellings(value, rules)]
    return structs.replace(rules, never=frozenset(never))


def _declared_key(key: Form | DeclaredKey) -> DeclaredKey:
    return key if isinstance(key, DeclaredKey) else DeclaredKey(form=key)


def _user_path(
    file: SettingsFile, declared: Mapping[FieldPath, DeclaredKey], problems: list[Problem]
) -> FieldPath | None:
    """The path of user ids; None without one, or with a problem."""
    if file.identity is None:
        return None
    text = file.identity.user
    path = _field_path(text, KEY_ROOTS, A_KEY)
    if isinstance(path, Problem):
        problems.append(structs.replace(path, path=("identity", "user"), on="value"))
        return None
    if path in declared and declared[path].exclusive is False:
        message = f"`{text}` is the path of user ids, which is always exclusive: a profile has one user at most"
        at = next(key for key in file.keys if _field_path(key, KEY_ROOTS, A_KEY) == path)
        problem = Problem(
            code="H404", message=message, path=("keys", at, "exclusive"), help="delete `exclusive: false`"
        )
        problems.append(problem)
    return path


def _with_map_remedy(problem: Problem, data: Any) -> Problem:
    """The problem, with the map to write in place of a text under `keys` and `identity`."""
    match problem.path:
        case ("keys", str(text)) if problem.code == "H404" and data["keys"][text] in ("exclusive", "unique"):
            return structs.replace(problem, help=f"write `{text}: {{exclusive: true}}`")
        case ("identity",) if isinstance(data["identity"], str):
            return structs.replace(problem, help=f"write `identity: {{user: {data['identity']}}}`")
    return problem


def _paths(
    entries: Mapping[str, Any], key: str, roots: tuple[str, ...], what: str, problems: list[Problem]
) -> list[tuple[str, FieldPath]]:
    """The keys of `entries` that are paths below `roots`, each with its path; the others get a problem.

    `key` is the setting with the entries, and `what` completes the message "`x` is not …".
    """
    paths: list[tuple[str, FieldPath]] = []
    for text in entries:
        path = _field_path(text, roots, what)
        if isinstance(path, Problem):
            problems.append(structs.replace(path, path=(key, text), on="key"))
        else:
            paths.append((text, path))
    return paths


def _field_path(text: str, roots: tuple[str, ...], what: str) -> FieldPath | Problem:
    """The path that `text` writes, or its problem if it is none below `roots`; `what` as of `_paths`."""
    try:
        path = parse_path(text)
    except ProblemError as error:
        return error.problem
    if path[0] in roots and len(path) > 1:
        return path
    help = "write a path below one of these: " + ", ".join(f"`{root}.…`" for root in roots)
    return Problem(code="H404", message=f"`{text}` is not {what}", help=help)


def _retention(ages: Mapping[str, str], problems: list[Problem]) -> Retention:
    durations = {kind: duration_ms(text, ("retention", kind), problems) for kind, text in ages.items()}
    return Retention({kind: age for kind, age in durations.items() if age is not None})
