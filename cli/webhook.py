"""`headrace webhook test`: plays recorded requests, and shows the events that webhooks make of them."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs
from rich.console import Console
from rich.text import Text

from api.tracking.webhooks import reply_to
from cli.check import no_directory
from cli.console import print_lines
from cli.document import write_document
from cli.scripting import opened_scripting
from cli.store import CommandError, report_error
from cli.testing.mocks import MockPerformer
from cli.testing.recorded_webhooks import RecordedWebhooks
from effects.clock import SystemClock
from effects.ids import new_id
from engine.ports.script import ScriptFailed
from engine.project.project import Project
from engine.project.webhook import Webhook
from engine.tracking.foreign.signature import verified
from engine.tracking.foreign.translation import ForeignEvent
from engine.tracking.intake.payload import Refusal
from engine.tracking.pipeline.foreign_processing import Processed
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.tracker import Tracker
from flows.address import Addresses
from flows.project import load_project
from flows.recorded import BadRecording, RecordedRequest, read_recorded
from flows.secret import AnySecret, is_made_up
from nodes import builtin
from storage.memory import MemoryStore

MEMBERS = ("type", "id", "time", "user", "visitor", "previous", "session", "properties", "context")


class PlayedRequest(Struct, frozen=True):
    """The result of one recorded request, as the command prints it."""

    file: str
    line: int
    webhook: str
    signature: str
    events: tuple[dict[str, Any], ...] = ()
    rejected: tuple[str, ...] = ()
    answer: str = ""
    failure: str = ""

    @property
    def failed(self) -> bool:
        """Whether a server would refuse the request, or reject an event of it."""
        return bool(self.failure or self.rejected or self.signature.startswith("wrong"))


def play_requests(
    files: Sequence[str], project: Path, secrets: Sequence[str], json: bool, console: Console, error: Console
) -> int:
    """Play the requests of files. Exit code 1 if one of them fails, 2 if a file cannot be read."""
    try:
        loaded = _project(project)
        requests = [(file, request) for file in files for request in _requests(file)]
        played = asyncio.run(_played(loaded, requests, tuple(secrets)))
    except CommandError as failure:
        return report_error(error, str(failure))
    if json:
        write_document([msgspec.to_builtins(each) for each in played])
    else:
        for each in played:
            print_lines(console, _lines(each))
    return 1 if any(each.failed for each in played) else 0


def _project(root: Path) -> Project:
    """Load a project, with made-up secrets in the place of those that are not set. Raises `CommandError`."""
    if not root.is_dir():
        raise CommandError(no_directory(root))
    return load_project(root, builtin(), AnySecret(os.environ)).project


def _requests(file: str) -> tuple[RecordedRequest, ...]:
    try:
        return read_recorded(Path(file).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}.") from error
    except BadRecording as bad:
        raise CommandError(f"{file}, {bad}.") from bad


async def _played(
    project: Project, requests: Sequence[tuple[str, RecordedRequest]], secrets: tuple[str, ...]
) -> list[PlayedRequest]:
    """Play requests without flows, in memory. Raises `CommandError` for an address of no webhook."""
    bare = structs.replace(project, flows=())
    pipeline = Pipeline(bare, MemoryStore(), MockPerformer(Addresses(bare, None)), SystemClock(), new_id)
    await pipeline.start()
    async with opened_scripting(project) as scripting:
        webhooks = RecordedWebhooks(Tracker(pipeline), scripting)
        return [await _one(project, webhooks, file, request, secrets) for file, request in requests]


async def _one(
    project: Project, webhooks: RecordedWebhooks, file: str, recorded: RecordedRequest, secrets: tuple[str, ...]
) -> PlayedRequest:
    webhook = project.webhooks.get(recorded.webhook or "")
    if webhook is None:
        known = ", ".join(sorted(project.webhooks)) or "none"
        raise CommandError(
            f"{file}, line {recorded.line}: {recorded.target} is not the address of a webhook: write "
            f"/webhook/collect/NAME; the project has {known}."
        )
    result = PlayedRequest(file, recorded.line, webhook.name, _signature(webhook, recorded, secrets))
    if recorded.method not in webhook.methods:
        return structs.replace(result, failure=f"the webhook takes {', '.join(webhook.methods)}, not {recorded.method}")
    try:
        played = await webhooks.play(recorded)
    except (ScriptFailed, Refusal) as failed:
        return structs.replace(result, failure=str(failed))
    answer = reply_to(webhooks.delivery(recorded), Processed(len(played.events), [])).body.decode("utf-8", "replace")
    return structs.replace(
        result, events=tuple(_shown(event) for event in played.events), rejected=played.errors, answer=answer
    )


def _signature(webhook: Webhook, recorded: RecordedRequest, given: tuple[str, ...]) -> str:
    """Return what a server would say of the signature. Its age is not looked at: a recorded one is always too old."""
    if webhook.check is None:
        return "none is asked for"
    secrets = given or tuple(secret for secret in webhook.secrets if not is_made_up(secret))
    if not secrets:
        return "not checked: say --secret, or set the secret of the webhook in the environment"
    try:
        verified(structs.replace(webhook.check, within_ms=None), secrets, recorded.request, 0)
    except Refusal as refusal:
        return f"wrong: {refusal.cause or refusal.detail}"
    return "right (its age is not checked)"


def _shown(event: ForeignEvent) -> dict[str, Any]:
    return {name: value for name in MEMBERS if (value := getattr(event, name)) not in (None, {})}


def _lines(played: PlayedRequest) -> Iterator[Text]:
    """Yield the lines that show the result of a request."""
    yield Text(f"{played.file}, line {played.line}: webhook {played.webhook}", style="bold")
    yield Text(f"  signature: {played.signature}", style="red" if played.signature.startswith("wrong") else "")
    if played.failure:
        yield Text(f"  refused: {played.failure}", style="red")
        return
    for event in played.events:
        yield Text(f"  event: {msgspec.json.encode(event).decode()}")
    for reason in played.rejected:
        yield Text(f"  rejected: {reason}", style="red")
    if not played.events and not played.rejected:
        yield Text("  no event: the condition of the webhook, or of each of its events, does not hold")
    yield Text(f"  answer: {played.answer}")
