"""Personal data: which paths of a project's documents have it, and how a value is masked. Pure.

A path has personal data if it is `pii`, or a declared key, or a field that a schema marks; or if a flow reads it to
write one of these; or if its name says so, as `first_name` does. Texts have it where they look like an address.
"""

import hashlib
import hmac
import re
from base64 import b32encode
from collections.abc import Iterator, Mapping
from typing import Any, Final

import re2
from msgspec import Struct

from engine.flow.plan import Flow
from engine.language.path import parse_path
from engine.language.quoting import BEGIN, END
from engine.problem import ProblemError
from engine.project.project import Project

Path = tuple[str, ...]

DOTS: Final = "•••"
ALWAYS: Final = frozenset({("pii",), ("traits", "name")})  # in a profile
CODE_CHARACTERS: Final = 4

# Names that mean personal data wherever they stand, without their separators and in small letters.
NAMES: Final = frozenset(
    {
        *("email", "emailaddress", "mail", "phone", "phonenumber", "mobile", "mobilenumber", "telephone", "tel", "fax"),
        *("firstname", "lastname", "fullname", "surname", "givenname", "familyname", "maidenname", "nickname"),
        *("address", "street", "streetaddress", "addressline1", "addressline2", "postaladdress"),
        *("birthday", "birthdate", "dateofbirth", "dob", "ssn", "iban", "passport", "passportnumber", "taxid"),
        *("ip", "ipaddress", "remoteaddress", "remoteaddr", "clientip", "useragent", "latitude", "longitude"),
        *("password", "secret", "token", "accesstoken", "cookie", "authorization"),
    }
)
_SEPARATORS: Final = re.compile(r"[^a-z0-9]")

# Each takes linear time: RE2 always does, and every repetition of the others is bounded.
_SIGN: Final = rf"[^\s@<>\"'`,;:()\[\]{{}}=&?/\\{BEGIN}{END}]"
EMAIL: Final = re2.compile(rf"{_SIGN}+(?:@|%40){_SIGN}+\.\pL{{2,24}}")
_ADDRESSES: Final = (
    re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])"),  # IPv4
    re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{0,4}(?![\w:])"),  # IPv6
    re.compile(r"(?<![\w.+-])(?:\+|00)\d[\d ()/.-]{5,20}\d"),  # a phone number with its country code
    re.compile(r"\b\w{1,40}/\d[\w.]{0,20} \([^)]{0,300}\).{0,300}"),  # a user agent
)
_DOTTED: Final = re.compile(r"(?:event|profile|session)(?:\.\w+)+")


class PersonalPaths(Struct, frozen=True):
    """The paths of a project that have personal data, all that is below them included.

    `profile` are those below a profile, such as `("pii",)`; `event` those below an event or a session, such as
    `("properties", "email")`; `of_type` the properties that the schema of an event's type marks.
    """

    profile: frozenset[Path] = ALWAYS
    event: frozenset[Path] = frozenset()
    of_type: Mapping[str, frozenset[str]] = {}

    def in_profile(self, path: Path) -> bool:
        """Return whether a path of a profile has personal data."""
        return _is_below(path, self.profile) or _is_named(path)

    def in_event(self, path: Path, type: str | None = None) -> bool:
        """Return whether a path of an event, or of a session, has personal data."""
        marked = self.of_type.get(type or "", frozenset())
        return (
            _is_below(path, self.event)
            or _is_named(path)
            or (path[:1] == ("properties",) and path[1:2] in _ones(marked))
        )

    def in_expression(self, text: str) -> bool:
        """Return whether an expression reads a path with personal data, as far as its text shows."""
        for match in _DOTTED.finditer(text):
            root, *names = match[0].split(".")
            path = tuple(names)
            if self.in_profile(path) if root == "profile" else self.in_event(path) or self._is_marked(path):
                return True
        return _is_named(tuple(text.split(".")))

    def _is_marked(self, path: Path) -> bool:
        return any(path[:1] == ("properties",) and path[1:2] in _ones(marked) for marked in self.of_type.values())


def personal_paths(project: Project) -> PersonalPaths:
    """Return the paths of a project that have personal data."""
    rules = project.settings.keys
    declared = {path for path, _ in rules.forms} | set(rules.exclusive) | ({rules.user} if rules.user else set())
    keys = {*ALWAYS, *map(tuple, declared)}
    for flow in project.flows:
        keys.update(path for path, _ in _merge_keys(flow))
    read = {each for flow in project.flows for at, path in _written(flow) for each in _read_for(at, path, keys)}
    marked = {
        schema.collection: frozenset({name for name, field in schema.fields.items() if field.personal})
        for schema in project.schemas.values()
    }
    return PersonalPaths(frozenset(keys), frozenset(read), {name: names for name, names in marked.items() if names})


def _merge_keys(flow: Flow) -> Iterator[tuple[Path, Path]]:
    """Yield each key by which a flow identifies profiles, with a path that it is read from."""
    for node in flow.all_nodes.values():
        if node.node.identifies:
            for at, path in node.template.entries_read:
                if (written := _path_of(at)) is not None:
                    yield written, path


def _written(flow: Flow) -> Iterator[tuple[Path, Path]]:
    """Yield each path of a profile that a flow writes, with a path of the event or the session that it is read from."""
    for node in flow.all_nodes.values():
        for at, path in node.template.entries_read:
            written = _path_of(at)
            if written is not None and path[0] in {"event", "session"} and len(path) > 1:
                yield written, path[1:]


def _read_for(at: Path, path: Path, keys: set[Path]) -> Iterator[Path]:
    """Yield what is personal of `path`, whose value is written at `at`: all of it, or the members that become keys."""
    if _is_below(at, keys) or _is_named(at):
        yield path
    else:
        yield from (path + key[len(at) :] for key in keys if key[: len(at)] == at)


def _path_of(at: tuple[Any, ...]) -> Path | None:
    if not at or not isinstance(at[0], str):
        return None
    try:
        return tuple(parse_path(at[0]))
    except (ProblemError, ValueError):
        return None


def _is_below(path: Path, tops: set[Path] | frozenset[Path]) -> bool:
    return any(path[: len(top)] == top for top in tops)


def _is_named(path: Path) -> bool:
    return any(_SEPARATORS.sub("", name.lower()) in NAMES for name in path if isinstance(name, str))


def _ones(names: frozenset[str]) -> set[tuple[str, ...]]:
    return {(name,) for name in names}


# ---- masks ----


def masked(value: Any) -> Any:
    """Return a value without what tells whose it is: `a•••@e•••.com`, `A•••`, or for short texts and numbers `•••`."""
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return DOTS
    if EMAIL.fullmatch(value.strip()):
        return _masked_email(value.strip())
    return f"{value[0]}{DOTS}" if len(value) > 3 and value[0].isalnum() else DOTS


def without_addresses(text: str) -> str:
    """Return a text in which addresses are masked: of e-mail, of the internet, phone numbers, and user agents."""
    text = EMAIL.sub(lambda match: _masked_email(match[0]), text)
    for pattern in _ADDRESSES:
        text = pattern.sub(DOTS, text)
    return text


def code_of(value: str, secret: bytes) -> str:
    """Return a short code that distinguishes masked values. Without the store's secret it says nothing."""
    return b32encode(hmac.digest(secret, value.encode(), hashlib.sha256))[:CODE_CHARACTERS].decode().lower()


def _masked_email(text: str) -> str:
    local, _, host = text.replace("%40", "@").partition("@")
    name, _, end = host.rpartition(".")
    return f"{local[:1]}{DOTS}@{name[:1]}{DOTS}.{end}"
