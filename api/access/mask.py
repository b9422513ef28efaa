"""The mask of personal data: one filter for all documents that pages show and the reading routes answer.

A mask replaces values in plain documents (see `engine.project.personal` for what is personal). What it leaves is fit
for everybody with the role `viewer`; what paths do not tell, such as bodies of requests, is masked as a whole.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from api.access.masked_text import (
    DEEP,
    IsPersonal,
    Path,
    filled,
    leaves,
    long_ones,
    path_of,
    pieces,
    unquoted,
    values_at,
    without,
)
from api.access.personal import Personal
from api.access.principal import Principal
from engine.ports.store import Reads
from engine.project.personal import DOTS, PersonalPaths, code_of, masked, personal_paths, without_addresses
from engine.project.project import Project

Document = dict[str, Any]
Known = Collection[str]  # personal values, which are masked wherever a text has them

# Members of a run and of its steps that hold names of the project, ids, times and numbers: they are shown as they are.
_PLAIN: Final = frozenset(
    {
        *("id", "flow", "version", "outcome", "at", "source", "profile", "other_profiles", "session", "duration_us"),
        *("failed_at", "node", "type", "line", "port", "us", "at_us", "from", "cut", "expression", "level", "kept"),
        *("op", "target", "kind", "attempt", "took_ms", "index", "turns_not_shown", "shape", "not_run", "share"),
        *("shared", "link", "left", "by", "state", "event", "nodes", "flow_version", "path", "acting", "segment"),
        *("order", "after", "on"),
    }
)
_RAW: Final = frozenset({"body", "headers", "response", "message", "html", "text", "subject", "begins", "state"})


class Mask:
    """The mask for one principal. With `shows`, documents stay as they are."""

    def __init__(self, paths: PersonalPaths, secret: bytes, *, shows: bool) -> None:
        self.shows = shows
        self._paths = paths
        self._secret = secret
        self._views: dict[str, Callable[[Document, Known], Document]] = {
            "events": self.event,
            "profiles": self.profile,
            "sessions": self.session,
            "runs": self.run,
            "rejected": self.rejected,
            "deliveries": self.delivery,
            "arrivals": self.arrival,
            "audit": lambda document, _: document,
        }

    def view(self, kind: str, document: Document, known: Known = ()) -> Document:
        """Return a document of a kind, named as in a search, as the principal sees it; others are masked whole."""
        if self.shows:
            return document
        view = self._views.get(kind)
        return view(document, known) if view is not None else self._other(document)

    def personal(self, value: Any) -> Personal:
        """Return a value that a page prints only as the principal may see it."""
        return Personal(value, shows=self.shows)

    def text(self, text: str, known: Collection[str] = ()) -> str:
        """Return a text without addresses, and without the `known` values, however they are written in it."""
        return text if self.shows else without_addresses(without(unquoted(text), known))

    def distinct(self, value: str) -> str:
        """Return a masked value with a short code, equal for equal values."""
        return value if self.shows else f"{masked(value)} {code_of(value, self._secret)}"

    def whole(self, value: Any, depth: int = 0) -> Any:
        """Return a value with all its leaves masked; of objects the names stay."""
        if self.shows:
            return value
        match value:
            case dict() if depth < DEEP:
                return {self._name(name): self.whole(inner, depth + 1) for name, inner in value.items()}
            case list() | tuple() if depth < DEEP:
                return self._items([self.whole(inner, depth + 1) for inner in value], value)
            case dict() | list() | tuple():
                return DOTS
        return masked(value)

    # ---- kinds of documents ----

    def event(self, document: Document, known: Known = ()) -> Document:
        """Return a stored event."""
        if self.shows:
            return document
        found = (*self.known_of("events", document), *known)
        return document | self._members(document, _FREE, self._of_event(document.get("type")), found)

    def session(self, document: Document, known: Known = ()) -> Document:
        """Return a stored session."""
        return self.event(document, known)

    def profile(self, document: Document, known: Known = ()) -> Document:
        """Return the view of a profile; `why` has keys only as hashes."""
        if self.shows:
            return document
        whole = {"recent": self.whole(document["recent"])} if "recent" in document else {}
        found = (*self.known_of("profiles", document), *known)
        return document | self._members(document, _OF_PROFILE, self._paths.in_profile, found) | whole

    def _members(self, document: Document, names: frozenset[str], is_personal: IsPersonal, known: Known) -> Document:
        """Return the free members of a document; a personal value is masked also where another text contains it."""
        found = {name: document[name] for name in names & document.keys()}
        return {name: self._free(value, (name,), is_personal, known) for name, value in found.items()}

    def known_of(self, kind: str, document: Document) -> tuple[str, ...]:
        """Return the personal values of a document as far as its paths tell, the longest first."""
        names, is_personal = (
            (_OF_PROFILE, self._paths.in_profile)
            if kind == "profiles"
            else (_FREE, self._of_event(document.get("type")))
        )
        found = [(name, document[name]) for name in sorted(names & document.keys())]
        return long_ones([each for name, value in found for each in values_at(value, (name,), is_personal)])

    def run(self, document: Document, known: Known = ()) -> Document:
        """Return a run with its trace: what a step has read, and `known` values, are masked wherever they are."""
        if self.shows:
            return document
        known = long_ones([*self._values(document), *known])
        logs = document.get("logs")
        texts = {"logs": [self.text(str(text), known) for text in logs]} if isinstance(logs, list | tuple) else {}
        return self._trace(document, known) | texts

    def replay(self, document: Document) -> Document:
        """Return a dry replay: what its steps have read is masked in its trace and in the lines that differ."""
        if self.shows:
            return document
        trace = document.get("trace") or {}
        known = long_ones(self._values(trace))
        lines = [
            each | {side: [self.text(str(line), known) for line in each.get(side, ())] for side in ("before", "after")}
            for each in document.get("differences", ())
        ]
        reason = self.text(str(document.get("reason", "")), known)
        return document | {"trace": self._trace(trace, known), "differences": lines, "reason": reason}

    def rejected(self, document: Document, known: Known = ()) -> Document:
        """Return a rejected event: its body is masked as a whole, and in its reason what the body has."""
        if self.shows:
            return document
        known = long_ones([*leaves(document.get("body")), *known])
        masked = {"reason": self.text(str(document.get("reason", "")), known)}
        return document | masked | {"body": self.whole(document.get("body"))}

    def delivery(self, document: Document, known: Known = ()) -> Document:
        """Return a delivery: its message is masked as a whole, but for its kind, method and path."""
        if self.shows:
            return document
        message = document.get("message")
        known = long_ones([*leaves(message), *known])
        found = dict(document)
        if isinstance(message, dict):
            plain = {name: message[name] for name in ("message", "method") if name in message}
            found["message"] = self.whole(message) | plain
            if isinstance(message.get("path"), str):
                found["message"]["path"] = self._address(message["path"], known)
        if isinstance(document.get("last"), dict):
            found["last"] = {name: self._quoted(value, known) for name, value in document["last"].items()}
        return found

    def arrival(self, document: Document, known: Known = ()) -> Document:
        """Return an event for which a run has waited."""
        awaited = document.get("awaited")
        return document | ({"awaited": self.event(awaited, known)} if isinstance(awaited, dict) else {})

    def explained(self, document: Document, known: Known = ()) -> Document:
        """Return an explanation with expressions and the values that they have read, as of a segment."""
        return self.run(document, known)

    def _other(self, document: Document) -> Document:
        return {name: self._member_of_other(name, value) for name, value in document.items()}

    def _member_of_other(self, name: str, value: Any) -> Any:
        if name in _PLAIN or not isinstance(value, str | dict | list | tuple):
            return value
        return self._quoted(value, ()) if name == "reason" else self.whole(value)

    def is_personal(self, path: Path, kind: str) -> bool:
        """Return whether a field of a kind of document has personal data, by its path; a free field as a whole has."""
        if len(path) == 1:
            return path[0] in {"properties", "context", "traits", "pii"}
        if kind == "profiles":
            return self._paths.in_profile(path)
        return any(self._paths.in_event(path, type) for type in (None, *self._paths.of_type))

    # ---- free values ----

    def _of_event(self, type: Any) -> IsPersonal:
        return lambda path: self._paths.in_event(path, type if isinstance(type, str) else None)

    def _free(self, value: Any, path: Path, is_personal: IsPersonal, known: Collection[str] = ()) -> Any:
        """Return a value at a path: its personal members masked, in its other texts addresses and `known` values."""
        if path and is_personal(path):
            return self.whole(value)
        if len(path) > DEEP:
            return DOTS
        match value:
            case dict():
                return {
                    self._name(name): self._free(inner, (*path, *str(name).split(".")), is_personal, known)
                    for name, inner in value.items()
                }
            case list() | tuple():
                return self._items([self._free(inner, path, is_personal, known) for inner in value], value)
            case str():
                return self.text(value, known)
        return value

    def _name(self, name: Any) -> Any:
        """Return the name of a member: names may be data as well."""
        return without_addresses(name) if isinstance(name, str) else name

    def _items(self, shown: list[Any], items: Collection[Any]) -> list[Any]:
        """Return masked items, with a code where two that differ look alike."""
        texts = [each for each, item in zip(shown, items, strict=True) if isinstance(each, str) and each != item]
        if len(texts) == len(set(texts)):
            return shown
        return [
            f"{each} {code_of(item, self._secret)}" if isinstance(item, str) and each != item else each
            for each, item in zip(shown, items, strict=True)
        ]

    # ---- traces ----

    def _trace(self, document: Document, known: tuple[str, ...]) -> Document:
        parts = document.get("parts")
        found = {name: self._traced(name, value, document, known) for name, value in document.items()}
        if isinstance(parts, dict) and isinstance(parts.get("shape"), str):
            text = filled(parts["shape"], [masked(value) for value in parts.get("values", ())])
            found |= {name: text for name in ("error", "reason", "message") if isinstance(document.get(name), str)}
            found["parts"] = {"shape": parts["shape"], "values": [masked(value) for value in parts.get("values", ())]}
        return found

    def _traced(self, name: str, value: Any, around: Document, known: tuple[str, ...]) -> Any:
        match value:
            case dict() if name in {"read", "values"}:
                return {
                    text: self.whole(inner)
                    if self._paths.in_expression(text)
                    else self._free(inner, (), self._is_named, known)
                    for text, inner in value.items()
                }
            case list() if name in {"steps", "turns", "calls", "logs", "operations", "expressions", "links"}:
                return [self._item(each, known) for each in value]
            case dict() if name in {"why", "reason", "error"}:
                return self._trace(value, known)
        if name in _PLAIN:
            return self._address(value, known) if name == "path" and isinstance(value, str) else value
        if name == "out" and str(around.get("type", "")).startswith("lookup."):
            return self.whole(value)
        if name in _RAW and "op" in around:
            return self.whole(value)
        if "op" in around and self._paths.in_profile(path_of(around.get("path"))):
            return self.whole(value)
        if name == "what" and isinstance(value, str):  # of a call
            return self._address(value, known)
        return self._free(value, (name,) if name in _FREE else (), self._is_named, known)

    def _item(self, value: Any, known: tuple[str, ...]) -> Any:
        return self._trace(value, known) if isinstance(value, dict) else self._free(value, (), self._is_named, known)

    def _is_named(self, path: Path) -> bool:
        return self._paths.in_profile(path) or self._paths.in_event(path)

    def _quoted(self, value: Any, known: Collection[str]) -> Any:
        return self.text(value, known) if isinstance(value, str) else value

    def _address(self, text: str, known: Collection[str]) -> str:
        """Return an address of a request; what stands behind its `?` is masked as a whole."""
        address, mark, query = self.text(text, known).partition("?")
        return f"{address}{mark}{DOTS}" if query else address

    def _values(self, value: Any) -> Iterator[str]:
        """Yield the texts of personal values that a trace has read or quotes, also words of names."""
        match value:
            case dict():
                for name, inner in value.items():
                    if name in {"read", "values"} and isinstance(inner, dict):
                        for text, each in inner.items():
                            if self._paths.in_expression(text):
                                yield from pieces(each)
                    elif name == "parts" and isinstance(inner, dict):
                        yield from pieces(inner.get("values", ()))
                    elif name == "value" and self._paths.in_profile(path_of(value.get("path"))):
                        yield from pieces(inner)
                    yield from self._values(inner)
            case list() | tuple():
                for each in value:
                    yield from self._values(each)


_FREE: Final = frozenset({"properties", "context"})
_OF_PROFILE: Final = frozenset({"traits", "pii", "consents", "counters"})


class Masks:
    """Makes masks, for the project that is served now."""

    def __init__(self, store: Reads, project: Callable[[], Project]) -> None:
        self._store = store
        self._project = project
        self._known: tuple[Project, PersonalPaths] | None = None
        self._secret = b""

    async def load(self) -> None:
        """Read the store's secret, which codes need, once. Raises `Unavailable`."""
        self._secret = self._secret or await self._store.secret()

    def of(self, principal: Principal) -> Mask:
        """Return the mask for a principal."""
        return Mask(self.paths(), self._secret, shows=principal.sees_personal)

    def paths(self) -> PersonalPaths:
        """Return the paths with personal data of the project that is served now."""
        project = self._project()
        if self._known is None or self._known[0] is not project:
            self._known = project, personal_paths(project)
        return self._known[1]
