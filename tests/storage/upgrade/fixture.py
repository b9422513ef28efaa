"""Loads the upgrade fixtures: a SQLite file, and templates, indices and documents of Elasticsearch."""

import gzip
import json
import lzma
from pathlib import Path
from typing import Any

from tests.storage.elasticsearch_requests import asked

HERE = Path(__file__).parent
WRITTEN = "upgrade-"  # how the names of the indices begin in the fixture
AT_ONCE = 1000  # lines of a request, two for each document
VERSIONED = ("-sessions", "-cache")  # indices in which the store counts the versions of documents itself


def kept(name: str) -> bytes:
    """The content of a fixture."""
    large = HERE / f"{name}.xz"
    return (
        lzma.decompress(large.read_bytes()) if large.exists() else gzip.decompress((HERE / f"{name}.gz").read_bytes())
    )


def old_answers(kind: str) -> dict[str, Any]:
    """The old program's answers (`answers`), and the ids that it was asked about (`names`)."""
    found: dict[str, Any] = json.loads(kept(f"{kind}.answers.json"))
    return found


async def load(server: str, prefix: str, name: str = "elasticsearch.jsonl") -> None:
    """Make on a server what the old program had made there, with `prefix` in place of its own."""
    text = kept(name).decode().replace(WRITTEN, f"{prefix}-")
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        if "template" in line:
            made = await asked(server, "PUT", f"/_index_template/{line['template']}", line["body"])
        elif "body" in line:
            made = await asked(server, "PUT", f"/{line['index']}", line["body"])
        else:
            continue
        assert made["acknowledged"], made
    writes: list[Any] = []
    for line in lines:
        if "id" in line:
            place: dict[str, Any] = {"_index": line["index"], "_id": line["id"]}
            if line["index"].endswith(VERSIONED):
                place |= {"version": line["version"], "version_type": "external"}
            writes += [{"index": place}, line["source"]]
    for start in range(0, len(writes), AT_ONCE):
        answer = await asked(server, "POST", "/_bulk", *writes[start : start + AT_ONCE])
        assert not answer["errors"], answer
    await asked(server, "POST", f"/{prefix}-*/_refresh")
