"""`headrace profile`: shows a profile and the links that merged it, and undoes one."""

import asyncio
from collections.abc import Iterator
from contextlib import nullcontext
from urllib.parse import quote, urlencode

from rich.console import Console
from rich.text import Text

from api.unmerge import serialize_unmerged
from cli.call import call
from cli.console import print_lines
from cli.document import Document, to_document, write_document
from cli.links import show_kind, show_link, show_side, show_state, show_time
from cli.location import LEAVE_TO_SERVER, DataLocation, project_and_store
from cli.store import CommandError, exclusive_access, opened_store, report_error, report_not_found, store_kind
from cli.traces import short
from effects.clock import SystemClock
from engine.language.buckets import total
from engine.language.decimals import nearest_number
from engine.ports.resolve import NotFound, require_profile
from engine.profile.merge_history import explain_identity
from engine.profile.operator_view import operator_view
from engine.tracking.operations.claiming import claiming
from engine.tracking.operations.unmerging import unmerge_stored

ROOTS = ("traits", "pii", "consents")


def show(
    id: str, location: DataLocation, explain: bool, claims: bool, json: bool, console: Console, error: Console
) -> int:
    """Show a profile; with `explain` also its parts and links, with `claims` also the profiles that claim its keys.

    Exit code 1 when no profile has the id, 2 when neither server nor store can be read.
    """
    try:
        profile = _read(id, location, explain, claims, error)
    except NotFound as not_found:
        return report_not_found(error, not_found)
    except CommandError as failure:
        return report_error(error, str(failure))
    if json:
        write_document(profile)
        return 0
    print_lines(console, _lines(profile))
    return 0


def unmerge(id: str, link: str, location: DataLocation, json: bool, console: Console, error: Console) -> int:
    """Undo a link, and show the resulting profiles. Exit code 1 when there is no such profile or link."""
    try:
        undone = _unmerge(id, link, location, error)
    except NotFound as not_found:
        return report_not_found(error, not_found)
    except CommandError as failure:
        return report_error(error, str(failure))
    if json:
        write_document(undone)
        return 0
    print_lines(console, _unmerged_lines(undone))
    return 0


# ---- reading and undoing --------------------------------------------------------------------------------------------


def _read(id: str, location: DataLocation, explain: bool, claims: bool, error: Console) -> Document:
    if (server := location.server()) is not None:
        asked = urlencode({name: "true" for name, wanted in (("why", explain), ("claims", claims)) if wanted})
        answer: Document = call(server, "GET", f"/profiles/{quote(id, safe='')}?{asked}")
        return answer
    project, url = project_and_store(location, error)

    async def read() -> Document:
        async with opened_store(url, location.root) as store:
            profile, fields = await require_profile(store, id), project.settings.fields
            document = operator_view(profile, fields, id)
            if claims:
                document["claims"] = await claiming(store, profile, id)
            return document | ({"why": explain_identity(profile, fields)} if explain else {})

    return to_document(asyncio.run(read()))


def _unmerge(id: str, link: str, location: DataLocation, error: Console) -> Document:
    if (server := location.server()) is not None:
        undone: Document = call(server, "POST", f"/profiles/{quote(id, safe='')}/unmerge", {"link": link})
        return undone
    project, url = project_and_store(location, error)

    async def undo() -> Document:
        async with opened_store(url, location.root) as store:
            return serialize_unmerged(await unmerge_stored(store, project, SystemClock(), id, link))

    with exclusive_access(url, location.root, LEAVE_TO_SERVER) if store_kind(url) == "sqlite" else nullcontext():
        return to_document(asyncio.run(undo()))


# ---- showing --------------------------------------------------------------------------------------------------------


def _lines(profile: Document) -> Iterator[Text]:
    ids = f"{len(profile['ids'])} ids" if len(profile["ids"]) > 1 else "one id"
    version = profile["metadata"]["version"]
    yield Text.assemble(("Profile ", "bold"), (profile["id"], "bold"), f"  {ids}, version {version}")
    if "by_claims" in profile:
        yield Text(f"  only claims join {', '.join(profile['by_claims'])}")
    for root in ROOTS:
        for name, value in profile[root].items():
            yield Text(f"  {root}.{name}: {short(value)}")
    yield Text(f"  segments: {', '.join(map(str, profile['segments'])) or 'none'}")
    for name, buckets in profile.get("counters", {}).items():
        amount = nearest_number(total(list(buckets.values())))
        yield Text(f"  counter {name}: {short(amount)} in all, the newest {max(buckets)}")
    yield from _times(profile["metadata"])
    for wait in profile.get("waits", ()):
        yield _wait(wait)
    if "claims" in profile:
        yield from _claims(profile["claims"])
    if "why" in profile:
        yield from _why(profile["why"])


def _times(metadata: Document) -> Iterator[Text]:
    yield Text(f"  created {show_time(metadata['created'])}, updated {show_time(metadata['updated'])}")
    if "last_seen" in metadata:
        visits = metadata.get("visits", 0)
        count = "one visit" if visits == 1 else f"{visits} visits"
        first, last = show_time(metadata["first_seen"]), show_time(metadata["last_seen"])
        yield Text(f"  first seen {first}, last seen {last}, {count}")


def _wait(wait: Document) -> Text:
    events = f" for {', '.join(wait['for'])}" if "for" in wait else ""
    until = "goes on now: its event has arrived" if wait.get("arrived") else f"until {show_time(wait['until'])}"
    return Text(f"  waits since {show_time(wait['began'])}: flow {wait['flow']}{events}, {until}  wait {wait['id']}")


def _claims(claims: list[Document]) -> Iterator[Text]:
    yield Text()
    yield Text("Claims: other profiles that claim a key which this one has proven", style="bold")
    if not claims:
        yield Text("  none")
    for claim in claims:
        yield Text(f"  {claim['key']}  profile {claim['profile']} with {', '.join(claim['ids'])}")


def _why(why: Document) -> Iterator[Text]:
    yield Text()
    yield Text("Parts: the data of each id", style="bold")
    for part in why["parts"]:
        mixed = ", written while a claim merged it with other parts" if part.get("mixed") else ""
        yield Text(f"  {part['id']}  from {show_time(part['created'])} to {show_time(part['updated'])}{mixed}")
    yield Text()
    yield Text("Links: why they are one profile", style="bold")
    if not why["links"]:
        yield Text("  none")
    for link in why["links"]:
        yield from _link(link)


def _link(link: Document) -> Iterator[Text]:
    holds = link["state"] == "holds"
    style = "" if holds else "dim"
    state = "" if holds else f", {show_state(link)}"
    yield Text.assemble(
        ("  ● " if holds else "  ○ ", style),
        (show_side(link["right"]), f"bold {style}".strip()),
        (f"  {show_kind(link)}{state}", style),
        (f"  link {link['link']}", "dim"),
    )
    yield Text(f"    of {link['left']}", style)
    if "at" in link:
        won = f"; the id {link['won']} stayed" if "held" in link else ""
        node = f"flow {link['flow']}, node {link['node']}" if link["flow"] else "at the login"
        yield Text(
            f"    {show_time(link['at'])}: event {link['event']} ({link['type']}) under {link['acting']}, {node}{won}",
            style,
        )
    if "held" in link:
        left, right = [_ids(link["held"][side]) for side in ("left", "right")]
        yield Text(f"    joined {left} (left) with {right} (right)", style)
    for clash in link.get("clashes", ()):
        values = f"left {clash['left']}, right {clash['right']}" if "left" in clash else "both had a value"
        result = "the merged value is neither" if clash["shown"] == "other" else f"{clash['shown']} was kept"
        yield Text(f"    {clash['path']}: {values}; {result}", style)
    if "more_clashes" in link:
        yield Text(f"    and {link['more_clashes']} more paths with different values", style)


def _ids(side: Document) -> str:
    more = f" and {side['more']} more" if "more" in side else ""
    return ", ".join(side["ids"]) + more


def _unmerged_lines(undone: Document) -> Iterator[Text]:
    yield Text(f"Undone: {show_link(undone['link'])}.")
    for profile in undone["profiles"]:
        ids = ", ".join(profile["ids"])
        yield Text.assemble("  profile ", (profile["id"], "bold"), f" with {ids}: traits {short(profile['traits'])}")
    if undone["still_joined_by"]:
        yield Text("Other links still lead from that id there:")
        for link in undone["still_joined_by"]:
            yield Text(f"  {show_link(link)}, link {link['link']}")
