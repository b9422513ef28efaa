"""Slowing down those who guess passwords, without locking a user out for long."""

import math
from ipaddress import ip_address, ip_network
from typing import Final

from engine.ports.world import Clock

WINDOW_MS: Final = 60_000
OF_ONE: Final = 5  # attempts a minute with one name from one address
OF_NAME: Final = 30  # with one name
OF_ADDRESS: Final = 60  # from one address, which all clients behind a proxy share
MOST: Final = 10_000  # names and addresses that are remembered


class Attempts:
    """Counts attempts by name and address, in windows of a minute; each process counts its own.

    An attempt counts before its password is compared, so that many at once do not get through together. A right
    password takes the attempts with its name and address back, and from then on attempts from elsewhere do not keep
    that address waiting: strangers cannot lock a user out.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[tuple[str, str], None] = {}  # names and addresses with which a password was right
        self._windows: dict[tuple[str, str], tuple[int, int]] = {}  # where a window began (ms), and its attempts

    def begin(self, name: str, address: str) -> int:
        """Count an attempt. Returns 0 if it may be made, else in how many seconds the next one may."""
        now, wait, address = self._clock.now(), 0, _network(address)
        counted = {(address, ""): OF_ADDRESS, (address, name): OF_ONE}
        if (address, name) not in self._known:
            counted["", name] = OF_NAME
        for key, most in counted.items():
            since, count = self._window(key, now)
            if count >= most:
                wait = max(wait, math.ceil((since + WINDOW_MS - now) / 1000))
        if not wait:
            for key in counted:
                since, count = self._window(key, now)
                self._keep(key, since, count + 1)
        return wait

    def left(self, name: str, address: str) -> int:
        """Return how many attempts with a name are left to an address now."""
        return max(0, OF_ONE - self._window((_network(address), name), self._clock.now())[1])

    def succeeded(self, name: str, address: str) -> None:
        """Forget the attempts with a name from an address, and know them from then on."""
        key = _network(address), name
        self._windows.pop(key, None)
        self._known.pop(key, None)
        if len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        self._known[key] = None

    def _window(self, key: tuple[str, str], now: int) -> tuple[int, int]:
        since, count = self._windows.get(key, (now, 0))
        return (since, count) if now - since < WINDOW_MS else (now, 0)

    def _keep(self, key: tuple[str, str], since: int, count: int) -> None:
        self._windows.pop(key, None)
        if len(self._windows) >= MOST:
            del self._windows[next(iter(self._windows))]  # the one that was used longest ago
        self._windows[key] = since, count


def _network(address: str) -> str:
    """Return an address as it is counted: of IPv6 the network of 64 bits, since one client may have all of it."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((found, 64), strict=False)) if found.version == 6 else address
