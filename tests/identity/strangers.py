"""Strangers: a proven visitor gets the answers, and shows the values, that she would without them.

Strangers to her are all who never prove anything, never were joined with her by proofs or own links, and do not know
the devices of those who do. A history is played a second time without them. From her first proof on the two must
agree, but for what her own flows concluded before it: they saw all with whom claims had joined her.
"""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from msgspec import json

from tests.identity.flows import Sender
from tests.identity.model import Model
from tests.identity.simulation import Simulation


class Her(NamedTuple):
    """All ids of a proven visitor, and the senders who are strangers to her."""

    ids: frozenset[str]
    strangers: frozenset[Sender]


def strangers_to(whole: Simulation, senders: set[Sender], known: set[Sender]) -> Iterator[Her]:
    """Yield each proven visitor of a history to whom some of its senders are strangers; none of those in `known` is."""
    model, found = whole.model, set[frozenset[str]]()
    for id in sorted(model.counts):
        near = _near(whole, id)
        if near in found or not model.proven(id):
            continue
        found.add(near)
        friends = {sender for sender in senders if sender.trusted or sender in known or whole.id_of(sender) in near}
        devices = {sender.device for sender, id in whole.ids.items() if id in near or sender in friends}
        strangers = frozenset(sender for sender in senders if sender.device not in devices)
        devices = {sender.device for sender in strangers}
        ids = {id for sender, id in whole.ids.items() if sender.device in devices}
        # Who is forgotten while claims join her with strangers is forgotten as well.
        mixed = any(not ids.isdisjoint(erased) and not erased <= ids for erased in model.erased)
        if strangers and not mixed:
            yield Her(near, strangers)


async def compare(whole: Simulation, without: Simulation, her: Her) -> None:
    """Compare the answers to her from her first proof on, and what she shows at the end."""
    if any(whole.handed_over[at] is not handed_over for at, handed_over in without.handed_over.items()):
        return  # her own flows have concluded who she is, before anything was proven
    hidden = _hidden(whole, without, her)
    for at, (answered, same) in enumerate(zip(whole.answers, without.answers, strict=True)):
        if answered is None or answered.id not in her.ids or not whole.models[at].proven(answered.id):
            continue
        if answered.answer is not None and same is not None and same.answer is not None:
            first = "concluded" in hidden and not (at and whole.models[at - 1].proven(answered.id))
            also = ("entered", "left") if first else ()  # what an undone link before it had left to be evaluated
            with_them, alone = (
                _plain(each.answer, sim, (*hidden, *also)) for each, sim in ((answered, whole), (same, without))
            )
            assert with_them == alone, f"answer {at} is {with_them}, without strangers {alone}"
    for sender, id in whole.ids.items():
        if id in her.ids and id in whole.model.counts and whole.model.proven(id):
            shows, alone = [_plain(await sim.shown(sim.ids[sender]), sim, hidden) for sim in (whole, without)]
            assert shows == alone, f"{sender} shows {shows}, without strangers {alone}"


def _near(whole: Simulation, id: str) -> frozenset[str]:
    """The ids that proofs and own links have ever joined with an id, and those of the same visitors."""
    near, grown = {id}, True
    while grown:
        visitors = {
            (sender.source, sender.visitor) for sender, each in whole.ids.items() if each in near and sender.visitor
        }
        more = {each for sender, each in whole.ids.items() if (sender.source, sender.visitor) in visitors}
        more |= {each for known in near for each in whole.model.ever_hers(known)}
        grown = not more <= near
        near |= more
    return frozenset(near)


def _hidden(whole: Simulation, without: Simulation, her: Her) -> tuple[str, ...]:
    """The names of members that her own flows have written before her first proof, by what strangers had done."""
    devices = {sender.device for sender in her.strangers}
    strangers = {id for sender, id in whole.ids.items() if sender.device in devices}
    hidden: tuple[str, ...] = ("metadata",) if whole.times_vary else ()
    if whole.name != without.name:  # of two ids that came in at one time, their hashes decide which one is older
        hidden = (*hidden, "created", "first_seen")
    if any(_is_joint(model, id, strangers) for model in whole.models for id in her.ids):
        hidden = (*hidden, "concluded", "updated")
    for at, (verdicts, alone) in enumerate(zip(whole.verdicts, without.verdicts, strict=True)):
        answered = whole.answers[at]
        id = answered.id if answered is not None else ""
        if id in her.ids and verdicts != alone and not whole.models[at].proven(id):
            hidden = (*hidden, "concluded", "email", "phone", "customer")
    return hidden


def _is_joint(model: Model, id: str, strangers: Collection[str]) -> bool:
    return id in model.counts and not model.group(id).isdisjoint(strangers)


def _plain(document: Any, simulation: Simulation, hidden: Collection[str]) -> Any:
    """Return a document with the names of senders for ids, without what depends on the number of commits."""
    text = json.encode(document).decode().replace(f"@{simulation.name}", "")
    for sender, id in simulation.ids.items():
        text = text.replace(id, "/".join(sender))
    return _without(json.decode(text), {*hidden, "version"})


def _without(document: Any, hidden: Collection[str]) -> Any:
    if isinstance(document, dict):
        if "ids" in document:  # as above
            hidden = {*hidden, "id"}
        return {name: _without(value, hidden) for name, value in document.items() if name not in hidden}
    return sorted(document) if isinstance(document, list) else document
