"""The demo's last part: why two devices are one customer, and how to unmerge them."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp
from msgspec import Struct
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.demo.sample import Document
from cli.demo.server import ServerFailed
from cli.links import show_kind
from cli.traces import short

MAX_POLLS = 100  # of a profile, until the server has evaluated its segments again; it does so about once a second
POLL_SECONDS = 0.1


class Share(Struct, frozen=True):
    """The expected values of one profile after the unmerge; `lost` is a trait that a flow must have removed."""

    revenue: int
    segments: tuple[str, ...]
    lost: str = ""


async def show_unmerge(
    client: aiohttp.ClientSession, id: str, shares: Mapping[str, Share], console: Console
) -> list[str]:
    """Show what joined a profile, undo it, and show both profiles. Returns what is not as expected, in words.

    `shares` has the two profiles by the names to print; the first is the one that kept the id of the merged profile.
    """
    joined = await get(client, f"/profiles/{id}?why=true")
    merging = [link for link in joined["why"]["links"] if "held" in link and link["state"] == "holds"]
    if len(merging) != 1:
        return [f"one link is to have merged {short(id)} with another profile, not {len(merging)}"]
    _show_link(merging[0], joined, shares, console)
    path = f"/profiles/{joined['id']}/unmerge"
    async with client.post(path, json={"link": merging[0]["link"]}) as response:
        if response.status != 200:
            raise ServerFailed(f"{path} was answered with {response.status}: {await response.text()}")
    sides = (joined["id"], merging[0]["left"])
    profiles = {
        name: await _evaluated(client, side, share) for (name, share), side in zip(shares.items(), sides, strict=True)
    }
    _show_sides(profiles, shares, console)
    return [error for name, share in shares.items() for error in _differences(name, profiles[name], share)]


async def get(client: aiohttp.ClientSession, path: str) -> Any:
    """The JSON that a server answers to a GET. Raises `ServerFailed`."""
    async with client.get(path) as response:
        if response.status != 200:
            raise ServerFailed(f"{path} was answered with {response.status}: {await response.text()}")
        return await response.json()


def profile_row(name: str, profile: Document) -> tuple[Text, Text, Text]:
    """A profile as a row of a table: name and ids, traits, segments."""
    ids = f"{len(profile['ids'])} ids merged" if len(profile["ids"]) > 1 else "one id"
    traits = ", ".join(f"{key} {short(value)}" for key, value in profile["traits"].items())
    title = Text.assemble((name, "bold"), f"\n{short(profile['id'])}, {ids}")
    return title, Text(traits), Text(", ".join(profile["segments"]) or "none")


def _show_link(link: Document, joined: Document, shares: Mapping[str, Share], console: Console) -> None:
    """Print why the two devices are one profile, as `headrace profile show ID --why` does."""
    first, second = shares
    console.print(
        Text.assemble(
            (first, "bold"), " and ", (second, "bold"), f" are one profile: both brought the same {link['key']}."
        )
    )
    before = link["held"]["right"]["ids"][0]
    older = "it" if link["won"] == before else short(link["won"])
    revenues = " + ".join(str(share.revenue) for share in shares.values())
    lines = [
        f"{show_kind(link)}, by the event {link['event']} ({link['type']}): flow {link['flow']}, node {link['node']}",
        f"{short(before)} had it before; {older} is the older one, and its id stays",
        *(_clash(clash) for clash in link.get("clashes", ())),
        f"increments add up: revenue {revenues} = {joined['traits']['revenue']}",
    ]
    for line in lines:
        console.print(Text(f"  {line}"))


def _clash(clash: Document) -> str:
    values = f"{clash['path']}: {clash['left']} and {clash['right']}"
    return f"{values}; {clash[clash['shown']]} is kept" if clash["shown"] in ("left", "right") else values


def _show_sides(profiles: Mapping[str, Document], shares: Mapping[str, Share], console: Console) -> None:
    console.print(
        "\nThe phone turns out to be another customer's: the link is undone, and each profile has its own data again."
    )
    table = Table("profile", "traits", "segments", box=None, header_style="bold", pad_edge=False)
    for name, profile in profiles.items():
        table.add_row(*profile_row(name, profile))
    console.print(Padding(table, (1, 0)))
    for name, share in shares.items():
        if share.lost:
            console.print(
                f"{name} has left a segment by that: a flow started on the change and removed traits.{share.lost}."
            )


async def _evaluated(client: aiohttp.ClientSession, id: str, share: Share) -> Document:
    """The profile, once the server has evaluated its segments again and run the flows that start on a change."""
    for _ in range(MAX_POLLS):
        profile: Document = await get(client, f"/profiles/{id}")
        if tuple(profile["segments"]) == share.segments:
            break
        await asyncio.sleep(POLL_SECONDS)
    return profile


def _differences(name: str, profile: Document, share: Share) -> Iterator[str]:
    if profile["traits"].get("revenue") != share.revenue:
        yield f"{name} has a revenue of {profile['traits'].get('revenue')}, and it must be {share.revenue}"
    if tuple(profile["segments"]) != share.segments:
        yield f"{name} belongs to {profile['segments']}, and it must be {list(share.segments)}"
    if share.lost in profile["traits"]:
        yield f"{name} has {share.lost} still"
