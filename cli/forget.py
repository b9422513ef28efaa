"""`headrace forget`: erases all that is stored of a profile, and waits until that is complete."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.prompt import Confirm

from api.forgetting import serialize_begun, serialize_forgetting
from cli.call import RemoteServer, call
from cli.document import Document, write_document
from cli.location import LEAVE_TO_SERVER, DataLocation, project_and_store
from cli.store import CommandError, exclusive_access, opened_store, report_error, report_not_found, store_kind
from effects.clock import SystemClock
from effects.ids import new_id
from engine.ports.resolve import NotFound
from engine.tracking.operations.forgetting import Forgetter, Forgetting, quiet_ms

POLL_SECONDS = 0.5  # between two requests to a server
QUESTION = "Erase all that is stored of this profile, under all its ids? It cannot be undone."

Report = Callable[[Document], None]


def forget(
    id: str, location: DataLocation, claims: bool, confirmed: bool, json: bool, console: Console, error: Console
) -> int:
    """Erase a profile, with `claims` also those that claim its keys, and wait until that is complete.

    Exit code 1 for an unknown id or without a `yes`.
    """
    if not confirmed and not _confirm(error):
        return 1
    return _run(json, console, error, lambda report: _forget(id, claims, location, error, report))


def finish_all(location: DataLocation, json: bool, console: Console, error: Console) -> int:
    """List all erasures, and complete those that are not complete."""
    return _run(json, console, error, lambda report: _finish_all(location, error, report))


def _run(json: bool, console: Console, error: Console, work: Callable[[Report], Any]) -> int:
    """Run `work`, which reports its progress; print that as lines, or with `json` the result of `work`."""

    def report(document: Document) -> None:
        for line in () if json else (_line(document), *_received_lines(document), *_claim_lines(document)):
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    try:
        result = work(report)
    except NotFound as not_found:
        return report_not_found(error, not_found)
    except CommandError as failure:
        return report_error(error, str(failure))
    except KeyboardInterrupt:
        error.print("Not complete yet: a server goes on with it, and so does `headrace forget --unfinished`.")
        return 130
    if json:
        write_document(result)
    return 0


def _confirm(error: Console) -> bool:
    if not error.is_terminal:
        error.print(f"{QUESTION} Say --yes if so.", markup=False, highlight=False, soft_wrap=True)
        return False
    return Confirm.ask(QUESTION, console=error, default=False)


# ---- erasing --------------------------------------------------------------------------------------------------------


def _forget(id: str, claims: bool, location: DataLocation, error: Console, report: Report) -> Document:
    """Erase a profile. Returns the last report, with the ids that only the first one has."""
    if (server := location.server()) is not None:
        asked = "?claims=true" if claims else ""
        started: Document = call(server, "POST", f"/profiles/{quote(id, safe='')}/forget{asked}", {})
        return {**started, **_wait_complete(server, started, report)}

    async def erase(forgetter: Forgetter) -> Document:
        forgetting = await forgetter.begin(id, new_id(), claims=claims)
        begun = serialize_begun(forgetting)
        report(begun)
        complete = await forgetter.finish(forgetting, lambda progress: report(serialize_forgetting(progress)))
        return {**begun, **serialize_forgetting(complete)}

    document: Document = _with_forgetter(location, error, erase)
    return document


def _finish_all(location: DataLocation, error: Console, report: Report) -> list[Document]:
    """All erasures, the incomplete ones of the store completed first. A server completes its own by itself."""
    if (server := location.server()) is not None:
        documents: list[Document] = call(server, "GET", "/forgettings")
    else:

        async def finish(forgetter: Forgetter) -> list[Document]:
            complete = [await _finish(forgetter, forgetting) for forgetting in await forgetter.all()]
            return [serialize_forgetting(forgetting) for forgetting in complete]

        documents = _with_forgetter(location, error, finish)
    for document in documents:
        report(document)
    return documents


async def _finish(forgetter: Forgetter, forgetting: Forgetting) -> Forgetting:
    return forgetting if forgetting.complete is not None else await forgetter.finish(forgetting)


def _with_forgetter(location: DataLocation, error: Console, work: Callable[[Forgetter], Any]) -> Any:
    """Run `work` on the store. A SQLite store is locked meanwhile; others may have servers that erase as well."""
    project, url = project_and_store(location, error)
    shared = store_kind(url) != "sqlite"

    async def run() -> Any:
        async with opened_store(url, location.root) as store:
            return await work(Forgetter(store, SystemClock(), project, quiet_ms=quiet_ms(project) if shared else 0))

    with nullcontext() if shared else exclusive_access(url, location.root, LEAVE_TO_SERVER):
        return asyncio.run(run())


def _wait_complete(server: RemoteServer, document: Document, report: Report) -> Document:
    """Ask the server until the erasure is complete, and report each change. Returns the last document."""
    reported = None
    while document["status"] != "complete":
        if document != reported:
            report(document)
            reported = document
        time.sleep(POLL_SECONDS)
        document = call(server, "GET", f"/forgettings/{document['forgetting']}")
    report(document)
    return document


def _line(document: Document) -> str:
    erased = ", ".join(f"{kind} {count}" for kind, count in document["erased"].items() if count) or "nothing yet"
    asked = f"{datetime.fromtimestamp(document['asked'] / 1000, UTC):%Y-%m-%d %H:%M:%S}"
    return f"{document['forgetting']}  asked {asked}  {document['status']}: {erased}"


def _received_lines(document: Document) -> Iterator[str]:
    """Which targets have messages about the profile: these cannot be erased from here."""
    for target, count in document.get("received", {}).items():
        yield f"  the target {target} has received {count} {'message' if count == 1 else 'messages'}: erase them there"


def _claim_lines(document: Document) -> Iterator[str]:
    """Which ids and profiles claims have to do with: those that are erased, and those that stay."""
    if "by_claims" in document:
        yield f"  erased, too, though only claims had joined them: {', '.join(document['by_claims'])}"
    for name, becomes in (("claims_erased", "is erased, too"), ("claims", "stays: --claims erases it, too")):
        for claim in document.get(name, ()):
            yield f"  profile {claim['profile']} claims its {claim['key']}, and {becomes}"
