"""`headrace send`: sends an event to a running server, with the debugger on, and prints its trace."""

import json
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from msgspec import Struct
from rich.console import Console
from rich.text import Text

from cli.call import RemoteServer, call
from cli.document import Document, write_document
from cli.store import CommandError, load_and_report, report_error
from cli.traces import QUIET, event_block
from engine.project.project import Project

DEFAULT_URL: Final = "http://127.0.0.1:8686"


class SendRequest(Struct, frozen=True):
    """The things to send: a file with a payload or an event, or a type; its properties; and by which source."""

    what: str
    properties: tuple[str, ...]
    source: str | None
    session: str | None
    root: Path
    url: str
    json: bool


def send_event(request: SendRequest, console: Console, error: Console) -> int:
    """Send, and print the trace. Exit code 1: an event was rejected; 2: it could not be sent."""
    try:
        payload = _payload(request, error)
        answer = call(RemoteServer(request.url or DEFAULT_URL, None), "POST", "/track", payload)
    except CommandError as failure:
        return report_error(error, str(failure))
    if request.json:
        write_document(answer)
    else:
        _print(answer, console)
    return 1 if answer.get("errors") else 0


def _print(answer: Document, console: Console) -> None:
    execution = answer.get("debugging", {}).get("execution", {})
    for id, event in execution.items():
        console.print(event_block(id, event))
    for each in answer.get("errors", ()):
        console.print(Text(f"{each.get('at', '')}: {each.get('reason', '')}", style="red"))
    if not execution:
        console.print("The source does not allow the debugger (`debugger: true`), so there is no trace.", style=QUIET)
    profile = answer.get("profile") or {}
    if profile.get("id"):
        console.print(Text(f"profile {profile['id']}", style=QUIET), soft_wrap=True)
    if answer.get("response"):
        console.print(Text(f"response {json.dumps(answer['response'], ensure_ascii=False)}", style=QUIET))


def _payload(request: SendRequest, error: Console) -> Document:
    """Return the payload. Raises `CommandError`."""
    read = _read(Path(request.what)) if request.what.endswith(".json") or Path(request.what).is_file() else None
    payload: Document = dict(read) if read is not None and "events" in read else {}
    if not payload:
        event = dict(read) if read is not None else {"type": request.what}
        payload = {"events": [event]}
    for event in payload["events"]:
        event["properties"] = {**event.get("properties", {}), **_properties(request.properties)}
    if request.source is not None or "source" not in payload:
        payload["source"] = {"id": request.source or _sole_source(request.root, error)}
    if request.session is not None or not ({"session", "visitor", "user"} & payload.keys()):
        payload["session"] = {"id": request.session or str(uuid4())}
    payload["options"] = {**payload.get("options", {}), "debugger": True}
    return payload


def _read(file: Path) -> Document:
    try:
        document = json.loads(file.read_text())
    except OSError as failure:
        raise CommandError(f"{file} cannot be read: {failure.strerror}.") from failure
    except ValueError as failure:
        raise CommandError(f"{file} is no JSON: {failure}.") from failure
    if not isinstance(document, dict):
        raise CommandError(f"{file} has neither an event nor a payload: write one JSON object.")
    return document


def _properties(given: tuple[str, ...]) -> dict[str, Any]:
    """Return the properties of `--set`: a value that is JSON is taken as such, else as text."""
    found: dict[str, Any] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not equals or not name:
            raise CommandError(f"`--set {each}`: write NAME=VALUE.")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def _sole_source(root: Path, error: Console) -> str:
    """Return the only source of the project that sends to /track. Raises `CommandError`."""
    project: Project = load_and_report(root, error, whole=False).project
    names = sorted(project.sources)
    debugged = [name for name in names if project.sources[name].debugger]
    if len(debugged or names) != 1:
        raise CommandError(f"Say which source sends it: --source {' or --source '.join(debugged or names)}.")
    return (debugged or names)[0]
