"""JSON documents, as servers answer them and as commands print them with `--json`."""

import sys
from typing import Any

import msgspec

from cli.console import escape_json

Document = dict[str, Any]


def to_document(value: Any) -> Document:
    """`value` as JSON data, so that a document read from a store equals the one that a server answers."""
    document: Document = msgspec.json.decode(msgspec.json.encode(value))
    return document


def write_document(document: Document | list[Document]) -> None:
    """Write a document to standard output, indented, for other programs to read."""
    sys.stdout.write(escape_json(msgspec.json.format(msgspec.json.encode(document), indent=2).decode()) + "\n")


def write_line(document: Document) -> None:
    """Write a document to standard output as one line."""
    sys.stdout.write(escape_json(msgspec.json.encode(document).decode()) + "\n")
