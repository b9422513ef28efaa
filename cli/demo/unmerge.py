"""The demo's last part: why two devices are one customer, and how they are set apart again."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp
from msgspec import Struct
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.demo.server import ServerFailed
from cli.traces import short

MAX_LOOKS = 100  # at a profile whose segments a server is about to work out; it does so about once a second
PAUSE = 0.1  # seconds

Document = dict[str, Any]


class Share(Struct, frozen=True):
    """What somebody must have again, who is set apart; and a trait that a flow must have taken back."""

    revenue: int
    segments: tuple[str, ...]
    lost: str = ""


async def show_unmerge(
    client: aiohttp.ClientSession, id: str, shares: Mapping[str, Share], console: Console
) -> list[str]:
    """Show what joined a profile, undo it, and show what both sides have then; gives what is not as it must be.

    `shares` are by what people call the sides: the one that went on is the first.
    """
    joined = await get(client, f"/profiles/{id}?why=true")
    links = [link for link in joined["why"]["links"] if "undone" not in link]
    if len(links) != 1:
        return [f"one link is to have made {short(id)}, not {len(links)}"]
    _show_link(links[0], joined, shares, console)
    path = f"/profiles/{joined['id']}/unmerge"
    async with client.post(path, json={"link": links[0]["link"]}) as response:
        if response.status != 200:
            raise ServerFailed(f"{path} was answered with {response.status}: {await response.text()}")
    sides = (joined["id"], next(each for each in joined["ids"] if each != joined["id"]))
    found = {
        name: await _settled(client, side, share) for (name, share), side in zip(shares.items(), sides, strict=True)
    }
    _show_sides(found, shares, console)
    return [error for name, share in shares.items() for error in _differences(name, found[name], share)]


async def get(client: aiohttp.ClientSession, path: str) -> Any:
    """What a server answers. Raises `ServerFailed`."""
    async with client.get(path) as response:
        if response.status != 200:
            raise ServerFailed(f"{path} was answered with {response.status}: {await response.text()}")
        return await response.json()


def profile_row(name: str, profile: Document) -> tuple[Text, Text, Text]:
    """A profile as a row of a table: who, traits, segments."""
    ids = f"{len(profile['ids'])} ids merged" if len(profile["ids"]) > 1 else "one id"
    traits = ", ".join(f"{key} {short(value)}" for key, value in profile["traits"].items())
    who = Text.assemble((name, "bold"), f"\n{short(profile['id'])}, {ids}")
    return who, Text(traits), Text(", ".join(profile["segments"]) or "none")


def _show_link(link: Document, joined: Document, shares: Mapping[str, Share], console: Console) -> None:
    """Who joined whom, and why: as `headrace profile show ID --why` tells it."""
    first, second = shares
    key = link["cause"].partition(":")[0]
    console.print(
        Text.assemble((first, "bold"), " and ", (second, "bold"), f" are one profile: both brought the same {key}.")
    )
    before = link["right" if link["acting"] == link["left"] else "left"]
    older = "it" if link["won"] == before else short(link["won"])
    revenues = " + ".join(str(share.revenue) for share in shares.values())
    lines = [
        f"a {link['by']}, by the event {link['event']} ({link['type']}): flow {link['flow']}, node {link['node']}",
        f"{short(before)} had it before; {older} is the older one and went on",
        *(_clash(clash) for clash in link.get("clashes", ())),
        f"what was counted adds up: revenue {revenues} = {joined['traits']['revenue']}",
    ]
    for line in lines:
        console.print(Text(f"  {line}"))


def _clash(clash: Document) -> str:
    held = f"{clash['path']}: {clash['left']} and {clash['right']}"
    return f"{held}; {clash[clash['shown']]} shows" if clash["shown"] in ("left", "right") else held


def _show_sides(found: Mapping[str, Document], shares: Mapping[str, Share], console: Console) -> None:
    console.print("\nIt was somebody else's phone after all: the link is undone, and each has again what is its own.")
    table = Table("profile", "traits", "segments", box=None, header_style="bold", pad_edge=False)
    for name, profile in found.items():
        table.add_row(*profile_row(name, profile))
    console.print(Padding(table, (1, 0)))
    for name, share in shares.items():
        if share.lost:
            console.print(f"{name} has left a segment by that: a flow heard of it, and took back traits.{share.lost}.")


async def _settled(client: aiohttp.ClientSession, id: str, share: Share) -> Document:
    """The profile, once the server has worked out its segments anew: flows hear of those that it leaves."""
    for _ in range(MAX_LOOKS):
        profile: Document = await get(client, f"/profiles/{id}")
        if tuple(profile["segments"]) == share.segments:
            break
        await asyncio.sleep(PAUSE)
    return profile


def _differences(name: str, profile: Document, share: Share) -> Iterator[str]:
    if profile["traits"].get("revenue") != share.revenue:
        yield f"{name} has a revenue of {profile['traits'].get('revenue')}, and it must be {share.revenue}"
    if tuple(profile["segments"]) != share.segments:
        yield f"{name} belongs to {profile['segments']}, and it must be {list(share.segments)}"
    if share.lost in profile["traits"]:
        yield f"{name} has {share.lost} still"
