"""The bodies of `_bulk`: split into items, some taken out, the results put together again in their order."""

import gzip
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from tests.servers.message import Message


class Item(msgspec.Struct, frozen=True):
    """One operation of a bulk request: its lines as they came, and what they are about."""

    lines: tuple[bytes, ...]
    operation: str
    index: str
    id: str | None

    def result(self, status: int, error: Mapping[str, object]) -> dict[str, object]:
        """The item of an answer that refuses this operation."""
        named = {"_index": self.index, "_id": self.id, "status": status, "error": error}
        return {self.operation: named}


def items(request: Message, index: str) -> list[Item]:
    """The operations of a bulk request, whose address may name the index for those that name none."""
    body = gzip.decompress(request.body) if request.header("content-encoding") == "gzip" else request.body
    lines = iter([line for line in body.split(b"\n") if line.strip()])
    found = []
    for line in lines:
        ((operation, about),) = json.loads(line).items()
        own = (line,) if operation == "delete" else (line, next(lines))
        found.append(Item(own, operation, about.get("_index", index), about.get("_id")))
    return found


def request_of(request: Message, kept: Collection[Item]) -> Message:
    """The request with these operations only, asking for a whole answer."""
    start = re.sub(r"([?&])filter_path=[^& ]*&?", r"\1", request.start)
    body = b"".join(line + b"\n" for item in kept for line in item.lines)
    return msgspec.structs.replace(request, start=start, headers=request.without("content-encoding"), body=body)


def spliced(answer: Message, refused: Mapping[int, Mapping[str, object]]) -> Message:
    """The answer with the refused operations' results at their places; an answer without results stays as it is."""
    response: dict[str, Any] = json.loads(answer.body)
    if "items" not in response:
        return answer
    results = iter(response["items"])
    count = len(response["items"]) + len(refused)
    response["items"] = [refused[place] if place in refused else next(results) for place in range(count)]
    response["errors"] = response["errors"] or bool(refused)
    return msgspec.structs.replace(answer, body=json.dumps(response).encode())
