"""`headrace schema infer`: a file for `schemas/`, made from recorded events."""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console

from cli.console import escape_json
from cli.store import CommandError, report_error
from engine.problem import did_you_mean
from engine.schema.infer import Evidence
from engine.schema.schema import MAX_FIELDS, MAX_NAME

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WORDS: Final = frozenset({"true", "false", "null"})  # they are no texts in YAML
_SHOWN: Final = 10  # types of events in a message


class _Collection:
    """The events of one type that were read."""

    def __init__(self) -> None:
        self.events = 0
        self.fields: dict[str, Evidence] = {}

    def add(self, properties: dict[str, Any]) -> None:
        """Add the properties of an event."""
        self.events += 1
        for name, value in properties.items():
            self.fields.setdefault(name, Evidence()).add(value)


def infer(files: list[Path], collection: str | None, error: Console) -> int:
    """Write a schema to standard output. Exit code 2 when the files cannot be read, or have events of several types."""
    try:
        found = _read(files)
        name = _chosen(found, collection)
        lines = list(_lines(name, found[name]))
    except CommandError as failure:
        return report_error(error, str(failure))
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _read(files: list[Path]) -> dict[str, _Collection]:
    """Return the events of files, by their types. Raises `CommandError`."""
    found: dict[str, _Collection] = {}
    for file in files:
        for place, document in _documents(file):
            for type, properties in _events(document, place):
                found.setdefault(type, _Collection()).add(properties)
    return found


def _documents(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield the JSON documents of a file, each with its place. Raises `CommandError`."""
    name = "standard input" if str(file) == "-" else str(file)
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as failure:
        raise CommandError(f"{name} cannot be read: {failure.strerror}.") from failure
    lines = [(number, line) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
    if len(lines) > 1:
        try:
            yield name, msgspec.json.decode(content)
            return
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass  # it may be a document per line
    for number, line in lines:
        try:
            yield f"{name}, line {number}", msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as failure:
            remedy = "write a JSON document, or one per line"
            raise CommandError(f"{name}, line {number}: this is no JSON ({failure}): {remedy}.") from failure


def _events(document: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the type and the properties of each event in a document. Raises `CommandError`."""
    if isinstance(document, list):
        for each in document:
            yield from _events(each, place)
        return
    events = document.get("events") if isinstance(document, dict) else None
    if isinstance(events, list):
        yield from _events(events, place)
        return
    type = (document.get("type") or document.get("collection")) if isinstance(document, dict) else None
    properties = (document.get("properties") or {}) if isinstance(document, dict) else None
    if not isinstance(type, str) or not isinstance(properties, dict):
        raise CommandError(f"{place}: an event is an object with a text `type` and an object `properties`.")
    yield type, properties


def _chosen(found: dict[str, _Collection], collection: str | None) -> str:
    """Return the type of events of which a schema is to be made. Raises `CommandError`."""
    if not found:
        raise CommandError("There is no event in these files.")
    if collection is not None and collection not in found:
        raise CommandError(f"There is no event of the type `{collection}`; {did_you_mean(collection, found)}")
    if collection is None and len(found) > 1:
        counts = Counter({name: one.events for name, one in found.items()}).most_common(_SHOWN)
        listed = ", ".join(f"{name} ({events})" for name, events in counts)
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise CommandError(
            f"There are events of {len(found)} types: {listed}{more}. Choose one, e.g. --type {counts[0][0]}"
        )
    return collection or next(iter(found))


def _lines(name: str, collection: _Collection) -> Iterable[str]:
    yield f"schema: {_written(name)}"
    kept = {field: seen for field, seen in collection.fields.items() if len(field) <= MAX_NAME}
    yield "fields:" if kept else "fields: {}"
    for number, (field, evidence) in enumerate(sorted(kept.items(), key=lambda item: -item[1].values)):
        common, often = evidence.common_type(), f"in {evidence.values} of {collection.events} events"
        if number >= MAX_FIELDS:
            yield f"  # {len(kept) - number} more: a schema has at most {MAX_FIELDS} fields"
            return
        if common is not None:
            yield f"  {_written(field)}: {common}  # {often}"
        else:
            why = "its values have no type in common" if evidence.values else "it has never had a value"
            yield f"  # {_written(field)}: {why}"


def _written(text: str) -> str:
    """Return a text as YAML: plain if that is safe, else as a JSON string, which YAML reads as well."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return escape_json(json.dumps(text, ensure_ascii=False))
