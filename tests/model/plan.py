"""Random plans: the units that each client sends, in order, and the ids that an operator forgets."""

import random
from typing import NamedTuple

from tests.model.process import Unit
from tests.model.rules import Kind, pair


class Plan(NamedTuple):
    """The units of each client; clients may share a session. The ids to forget."""

    clients: list[list[Unit]]
    forget: list[str]

    @property
    def units(self) -> list[Unit]:
        """All units."""
        return [unit for units in self.clients for unit in units]


def random_plan(random: random.Random) -> Plan:
    """Plan a few units of two to four clients on two or three devices."""
    draw = Draw(random)
    clients = [draw.client() for _ in range(random.randint(2, 4))]
    ids = sorted({pair(unit.visitor, unit.user) for units in clients for unit in units if unit.visitor})
    forget = random.sample(ids, min(len(ids), random.choice((1, 1, 2)))) if random.random() < 0.4 else []
    return Plan(clients, forget)


class Draw:
    """Draws units; `tokens`: some of them prove what they bring."""

    def __init__(self, random: random.Random) -> None:
        self.random = random
        self.devices = "ABC"[: random.randint(2, 3)]
        self.tokens = random.random() < 0.7
        self.sessions = random.choice((0.0, 0.5, 0.9))
        self.hand_overs = random.choice((0.0, 0.3))
        self.number = 0
        self.ids: list[str] = []

    def client(self) -> list[Unit]:
        """The units of a client, most of them on one device."""
        device = self.random.choice(self.devices)
        session = f"s{self.random.randint(1, 3)}"
        return [self.unit(device, session) for _ in range(self.random.randint(1, 4))]

    def unit(self, device: str, session: str) -> Unit:
        """One unit."""
        random = self.random
        self.number += 1
        event, amount = f"e{self.number}", random.choice((100, 200, 300, 500))
        kind = random.choices(("event", "undo", "attach", "profileless"), (84, 7, 6, 3))[0]
        visitor = device if random.random() < 0.8 else random.choice(self.devices)
        user = random.choice("12") if random.random() < 0.5 else ""
        by: Kind = "proof" if self.tokens and random.random() < 0.5 else "claim"
        if kind == "profileless":
            return Unit(event, kind)
        if kind == "attach" and self.ids:
            return Unit(event, kind, keys=self.keys(1), amount=amount, targets=tuple(self.ids))
        acting = pair(visitor, user)
        self.ids = sorted({*self.ids, acting})
        if kind == "undo":
            return Unit(event, kind, visitor, user, amount=amount)
        in_session = random.random() < self.sessions
        return Unit(
            event,
            "event",
            visitor,
            user,
            by,
            self.keys(random.choice((0, 1, 1, 2))),
            alias=random.choice("12") if user and random.random() < 0.08 else "",
            alias_id=random.choice(self.ids) if random.random() < 0.05 else "",
            session=session if in_session else None,
            hand_over=random.choice("12") if in_session and random.random() < self.hand_overs else "",
            amount=amount,
            stored=random.random() < 0.8,
        )

    def keys(self, most: int) -> tuple[tuple[str, Kind], ...]:
        """Different keys, each claimed or proven."""
        found: dict[str, Kind] = {}
        for _ in range(most):
            proven = self.tokens and self.random.random() < 0.4
            found[f"email:{self.random.choice('ek')}"] = "proof" if proven else "claim"
        return tuple(found.items())
