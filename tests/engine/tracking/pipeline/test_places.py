"""Places: the driver answers `geo.lookup` from a local database, if there is one."""

from typing import Any

import pytest

from engine.flow.ask import GeoReply, NoAnswer, Reply
from engine.ports.world import Places, UnreadableDatabase
from engine.tracking.pipeline.driver import Driver


class Known:
    """A database of one address."""

    def place(self, address: str) -> dict[str, Any] | None:
        if address == "damaged":
            raise UnreadableDatabase("it is damaged")
        return {"country": "DE"} if address == "192.0.2.1" else None


@pytest.mark.parametrize(("places", "address", "reply"), [
    (Known(), "192.0.2.1", GeoReply({"country": "DE"})), (Known(), "192.0.2.2", GeoReply(None)),
])  # fmt: skip
def test_the_database_answers(places: Places, address: str, reply: Reply) -> None:
    assert driver(places)._place(address) == reply


@pytest.mark.parametrize(("places", "kind"), [(None, "refused"), (Known(), "broken")])
def test_without_a_database_that_can_be_read_there_is_no_answer(places: Places | None, kind: str) -> None:
    reply = driver(places)._place("damaged")
    assert isinstance(reply, NoAnswer)
    assert (reply.kind, reply.retriable) == (kind, False)


def driver(places: Places | None) -> Driver:
    made = Driver.__new__(Driver)  # a place is found without the store and without other systems
    made.places = places
    return made
