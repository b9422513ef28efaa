"""`headrace forget`: erase all that is stored of a profile, and see it through."""

import asyncio
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.prompt import Confirm

from api.forgetting import serialize_forgetting
from cli.call import call
from cli.profile import SERVED, Document, Where, stored, write_document
from cli.store import CannotStart, alone, cannot, kind_of, missing, opened
from effects.clock import SystemClock
from effects.ids import new_id
from engine.ports.resolve import NotFound
from engine.tracking.operations.forgetting import Forgetter, Forgetting, quiet_ms

ASK_SECONDS = 0.5  # between two questions to a server
QUESTION = "Erase all that is stored of this profile, under all its ids? It cannot be undone."

Tell = Callable[[Document], None]


def forget(id: str, where: Where, sure: bool, json: bool, console: Console, error: Console) -> int:
    """Forget a profile and wait until that is complete. Exit code 1 when nobody has the id or it was not confirmed."""
    if not sure and not _confirmed(error):
        return 1
    return _told(where, json, console, error, lambda tell: _forgotten(id, where, error, tell))


def go_on(where: Where, json: bool, console: Console, error: Console) -> int:
    """Go on with what was begun and is not complete, and show all that has been forgotten."""
    return _told(where, json, console, error, lambda tell: _listed(where, error, tell))


def _told(where: Where, json: bool, console: Console, error: Console, do: Callable[[Tell], Any]) -> int:
    def tell(document: Document) -> None:
        if not json:
            console.print(_line(document), markup=False, highlight=False, soft_wrap=True)

    try:
        done = do(tell)
    except NotFound as unknown:
        return missing(error, unknown)
    except CannotStart as refused:
        return cannot(error, str(refused))
    except KeyboardInterrupt:
        error.print("Not complete yet: a server goes on with it, and so does `headrace forget --unfinished`.")
        return 130
    if json:
        write_document(done)
    return 0


def _confirmed(error: Console) -> bool:
    if not error.is_terminal:
        error.print(f"{QUESTION} Say --yes if so.", markup=False, highlight=False, soft_wrap=True)
        return False
    return Confirm.ask(QUESTION, console=error, default=False)


# ---- doing it -------------------------------------------------------------------------------------------------------


def _forgotten(id: str, where: Where, error: Console, tell: Tell) -> Document:
    if where.url is not None:
        begun: Document = call(where.url, "POST", f"/profiles/{quote(id, safe='')}/forget", {})
        return _awaited(where.url, begun, tell)

    async def do(forgetter: Forgetter) -> Document:
        begun = await forgetter.begin(id, new_id())
        tell(serialize_forgetting(begun))
        return serialize_forgetting(await forgetter.finish(begun, lambda one: tell(serialize_forgetting(one))))

    done: Document = _on_store(where, error, do)
    return done


def _listed(where: Where, error: Console, tell: Tell) -> list[Document]:
    if where.url is not None:
        found: list[Document] = call(where.url, "GET", "/forgettings")
        for one in found:
            tell(one)
        return found

    async def do(forgetter: Forgetter) -> list[Document]:
        done = [await _gone_on(forgetter, one) for one in await forgetter.all()]
        for one in done:
            tell(serialize_forgetting(one))
        return [serialize_forgetting(one) for one in done]

    done: list[Document] = _on_store(where, error, do)
    return done


async def _gone_on(forgetter: Forgetter, one: Forgetting) -> Forgetting:
    return one if one.complete is not None else await forgetter.finish(one)


def _on_store(where: Where, error: Console, do: Callable[[Forgetter], Any]) -> Any:
    project, url = stored(where, error)
    shared = kind_of(url) != "sqlite"  # servers may be at work on it

    async def work() -> Any:
        async with opened(url, where.root) as store:
            return await do(Forgetter(store, SystemClock(), quiet_ms=quiet_ms(project) if shared else 0))

    with nullcontext() if shared else alone(url, where.root, SERVED):
        return asyncio.run(work())


def _awaited(url: str, begun: Document, tell: Tell) -> Document:
    """What a server has come to in the end; told whenever there is something new."""
    told = None
    going = begun
    while going["status"] != "complete":
        if going != told:
            tell(going)
            told = going
        time.sleep(ASK_SECONDS)
        going = call(url, "GET", f"/forgettings/{going['forgetting']}")
    tell(going)
    return going


def _line(found: Document) -> str:
    erased = ", ".join(f"{kind} {count}" for kind, count in found["erased"].items() if count) or "nothing yet"
    asked = f"{datetime.fromtimestamp(found['asked'] / 1000, UTC):%Y-%m-%d %H:%M:%S}"
    return f"{found['forgetting']}  asked {asked}  {found['status']}: {erased}"
