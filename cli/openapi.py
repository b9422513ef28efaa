"""`headrace openapi`: prints the OpenAPI document that a server of this version answers, without a server."""

from typing import TextIO

import msgspec

from api.app import create_app
from api.description.routes import document_of
from engine.project.project import Project
from storage.memory import MemoryStore


def print_document(output: TextIO) -> None:
    """Write the document as indented JSON. It is the same for every project."""
    document = document_of(create_app(Project(), MemoryStore()))
    output.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")
