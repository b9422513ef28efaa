"""`headrace profile`: who a profile is and what joined it; and undoing that."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.text import Text

from api.unmerge import serialize_unmerged
from cli.call import call
from cli.store import CannotStart, alone, cannot, file_of, kind_of, load, missing, opened, url_of
from cli.traces import short
from effects.clock import SystemClock
from engine.ports.resolve import NotFound, require_profile
from engine.profile.fold import fold
from engine.profile.merge_history import explain_identity
from engine.profile.profile_view import profile_view
from engine.project.project import Project
from engine.tracking.operations.unmerging import unmerge_stored

SERVED = "let its server do it, with --url http://127.0.0.1:8686 or wherever it listens"
ROOTS = ("traits", "pii", "consents")

Document = dict[str, Any]


class Where(Struct, frozen=True):
    """Whom to ask: the server at `url`; without one, the project's store or the one that is named."""

    root: Path
    store: str | None
    url: str | None


def show(id: str, where: Where, explain: bool, json: bool, console: Console, error: Console) -> int:
    """Show a profile, with why it is who it is. Exit code 1 when nobody has the id, 2 when nobody can be asked."""
    try:
        found = _asked(id, where, error)
    except NotFound as unknown:
        return missing(error, unknown)
    except CannotStart as refused:
        return cannot(error, str(refused))
    if not explain:
        found.pop("why", None)
    if json:
        write_document(found)
        return 0
    for line in _lines(found):
        console.print(line, soft_wrap=True)
    return 0


def unmerge(id: str, link: str, where: Where, json: bool, console: Console, error: Console) -> int:
    """Undo a link, and show the resulting profiles. Exit code 1 when there is no such profile or link."""
    try:
        undone = _undone(id, link, where, error)
    except NotFound as unknown:
        return missing(error, unknown)
    except CannotStart as refused:
        return cannot(error, str(refused))
    if json:
        write_document(undone)
        return 0
    for line in _told(undone):
        console.print(line, soft_wrap=True)
    return 0


# ---- asking ---------------------------------------------------------------------------------------------------------


def _asked(id: str, where: Where, error: Console) -> Document:
    if where.url is not None:
        found: Document = call(where.url, "GET", f"/profiles/{quote(id, safe='')}?why=true")
        return found
    project, url = stored(where, error)

    async def read() -> Document:
        async with opened(url, where.root) as store:
            profile = await require_profile(store, id)
            fields = project.settings.fields
            return profile_view(profile, fold(profile, fields)) | {"why": explain_identity(profile, fields)}

    return _plain(asyncio.run(read()))


def _undone(id: str, link: str, where: Where, error: Console) -> Document:
    if where.url is not None:
        undone: Document = call(where.url, "POST", f"/profiles/{quote(id, safe='')}/unmerge", {"link": link})
        return undone
    project, url = stored(where, error)

    async def undo() -> Document:
        async with opened(url, where.root) as store:
            return serialize_unmerged(await unmerge_stored(store, project, SystemClock(), id, link))

    with alone(url, where.root, SERVED) if kind_of(url) == "sqlite" else nullcontext():
        return _plain(asyncio.run(undo()))


def stored(where: Where, error: Console) -> tuple[Project, str]:
    """The project, and its store or the one that is named. Raises `CannotStart` where there is none to read."""
    loaded = load(where.root, error, whole=False)
    url = url_of(loaded, where.store)
    if kind_of(url) == "memory":
        raise CannotStart("`memory:` holds nothing when no server runs; ask yours with --url, or name its --store.")
    file = file_of(url, where.root)
    if file is not None and not file.exists():
        raise CannotStart(f"There is no store at {file}. Name the one that your server uses by --store.")
    return loaded.project, url


def _plain(document: Document) -> Document:
    plain: Document = msgspec.json.decode(msgspec.json.encode(document))
    return plain


def write_document(document: Document | list[Document]) -> None:
    """Write a document to standard output, for programs."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")


# ---- showing --------------------------------------------------------------------------------------------------------


def _lines(found: Document) -> Iterator[Text]:
    ids = f"{len(found['ids'])} ids" if len(found["ids"]) > 1 else "one id"
    yield Text.assemble(("Profile ", "bold"), (found["id"], "bold"), f"  {ids}, version {found['metadata']['version']}")
    for root in ROOTS:
        for name, value in found[root].items():
            yield Text(f"  {root}.{name}: {short(value)}")
    yield Text(f"  segments: {', '.join(map(str, found['segments'])) or 'none'}")
    for name, buckets in found.get("counters", {}).items():
        yield Text(f"  counter {name}: {short(sum(buckets.values()))} in all, the newest {max(buckets)}")
    yield from _times(found["metadata"])
    if "why" in found:
        yield from _why(found["why"])


def _times(metadata: Document) -> Iterator[Text]:
    yield Text(f"  created {_time(metadata['created'])}, updated {_time(metadata['updated'])}")
    if "last_seen" in metadata:
        visits = metadata.get("visits", 0)
        counted = "one visit" if visits == 1 else f"{visits} visits"
        yield Text(f"  first seen {_time(metadata['first_seen'])}, last seen {_time(metadata['last_seen'])}, {counted}")


def _why(why: Document) -> Iterator[Text]:
    yield Text("\nParts: what came in under each id", style="bold")
    for part in why["parts"]:
        mixed = ", in sight of parts joined by a mere claim" if part.get("mixed") else ""
        yield Text(f"  {part['id']}  from {_time(part['created'])} to {_time(part['updated'])}{mixed}")
    yield Text("\nLinks: what joined them", style="bold")
    if not why["links"]:
        yield Text("  none")
    for link in why["links"]:
        yield from _link(link)


def _link(link: Document) -> Iterator[Text]:
    undone = f"  undone {_time(link['undone'])}" if "undone" in link else ""
    style = "dim" if undone else ""
    yield Text.assemble(
        ("  ○ " if undone else "  ● ", style),
        (link["cause"], f"bold {style}".strip()),
        (f"  a {link['by']}{undone}", style),
        (f"  link {link['link']}", "dim"),
    )
    yield Text(f"    left {link['left']}, right {link['right']}", style)
    if "at" in link:
        yield Text(
            f"    {_time(link['at'])}: event {link['event']} ({link['type']}) under {link['acting']}, "
            f"flow {link['flow']}, node {link['node']}; {link['won']} went on",
            style,
        )
    for name, side in link.get("held", {}).items():
        if side["ids"] == [link[name]] and "more" not in side:
            continue
        more = f" and {side['more']} more" if "more" in side else ""
        yield Text(f"    {name} had {', '.join(side['ids'])}{more}", style)
    for clash in link.get("clashes", ()):
        held = f"left {clash['left']}, right {clash['right']}" if "left" in clash else "both had a value"
        showed = "neither showed as it was" if clash["shown"] == "other" else f"{clash['shown']} showed from then on"
        yield Text(f"    {clash['path']}: {held}; {showed}", style)
    if "more_clashes" in link:
        yield Text(f"    and {link['more_clashes']} more paths with different values", style)


def _told(undone: Document) -> Iterator[Text]:
    yield Text(
        f"Undone: {undone['link']['cause']} joins {undone['link']['left']} and {undone['link']['right']} no more."
    )
    for profile in undone["profiles"]:
        ids = ", ".join(profile["ids"])
        yield Text.assemble("  profile ", (profile["id"], "bold"), f" with {ids}: traits {short(profile['traits'])}")
    if undone["still_joined_by"]:
        yield Text("They are one profile all the same, joined by")
        for link in undone["still_joined_by"]:
            yield Text(f"  {link['cause']} between {link['left']} and {link['right']}, link {link['link']}")


def _time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"
