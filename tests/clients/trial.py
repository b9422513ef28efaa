"""A client's sending to a source of its own, and what is stored of it."""

from collections.abc import Iterable
from typing import Any

import msgspec

from tests.clients.client import Client
from tests.clients.driving import Place, drive
from tests.clients.faulty_proxy import Crash, FaultyProxy, Refused
from tests.clients.served import SECRET, Event, Server, key_of
from tests.servers.fault import Loss, Reset


class Trial(msgspec.Struct, frozen=True):
    """A client, a source to which only it sends, the server, and the proxy between them."""

    client: Client
    source: str
    server: Server
    proxy: FaultyProxy
    place: Place

    async def send(self, calls: list[dict[str, Any]], events: int | None = None) -> None:
        """Have the client make its calls, which make so many events; without a number each makes one."""
        script = {"key": key_of(self.source, self.client.kind), "secret": SECRET, "user": self.user, "calls": calls}
        await drive(self.client, self.proxy, self.place, script, len(calls) if events is None else events)
        assert not self.proxy.to_come, f"these faults never happened: {self.proxy.to_come}"

    @property
    def user(self) -> str:
        """The user of a page whose client takes the user at its start."""
        return f"{self.source}-ann"

    def let_fail(self) -> None:
        """Let requests fail in every way that the client survives; in the last three the server has done the request.

        At the end of them the server is killed, and started again.
        """
        faults = (
            Refused(503),
            Refused(429, retry_after=1),
            Reset(),
            Loss(),
            Refused(503, taken=True),
            Crash(self.server.restart, self.proxy.lead_to),
        )
        survived = [one for one in faults if not (isinstance(one, Refused) and one.status in self.client.drops_at)]
        self.proxy.plan(*survived, apart=self.client.apart)

    def events(self) -> list[Event]:
        """The stored events; nothing may have been rejected."""
        assert not self.server.rejected(self.source)
        return self.server.events(self.source)

    def persons(self, events: Iterable[Event]) -> set[str]:
        """The ids of the profiles that have these events."""
        return {self.server.profile(event.profile)["id"] for event in events}

    def counted(self, events: Iterable[Event]) -> int:
        """How often the flow `count` has taken effect in the profiles of these events."""
        profiles = [self.server.profile(id) for id in self.persons(events)]
        return sum(profile["traits"]["count"] for profile in profiles)
