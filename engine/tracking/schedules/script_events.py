"""The events of a task's script: read as Rakam's `/event/collect` reads them, and grouped by their senders."""

from collections.abc import Generator, Sequence
from typing import Final

from msgspec import structs

from engine.profile.key import KeyRules
from engine.project.source import Source
from engine.tracking.foreign.groups import IntakeGroup
from engine.tracking.foreign.items import made
from engine.tracking.foreign.rakam_api import Api
from engine.tracking.foreign.rakam_event import event_of
from engine.tracking.foreign.senders import grouping_steps
from engine.tracking.foreign.translation import ForeignEvent, Translation
from engine.tracking.intake.payload import RejectedEvent

PROTOCOL: Final = "rakam"

_NO_CLIENT: Final = Api()


def event_steps(texts: Sequence[bytes]) -> Generator[None, None, Translation]:
    """Read the events of a run, whose JSON `texts` are. Yields between two of them."""
    events: list[ForeignEvent | RejectedEvent] = []
    for index, text in enumerate(texts):
        if index:
            yield
        events.append(made(index, text, f"/{index}", lambda item: event_of(item, _NO_CLIENT)))
    return Translation(events=tuple(events))


def group_steps(
    texts: Sequence[bytes], source: Source, rules: KeyRules, seed: str
) -> Generator[None, None, list[IntakeGroup]]:
    """Return the events in ordered groups, each with an id; `seed` is the same whenever this firing is repeated.

    The id follows from the event's text, not from its place: a repeat may find more events, or find them in another
    order, and must neither lose nor repeat one.
    """
    translation = yield from event_steps(texts)
    return (yield from grouping_steps(translation, source, PROTOCOL, rules, seed))


def trusted(source: Source) -> Source:
    """Return the source with which a task's events are processed.

    No sender has brought them: the author's own script has made them. So what they say of persons is proven, unless the
    source's file says that it proves nothing.
    """
    return source if source.identify == "refuse" else structs.replace(source, identify="trust")
