"""Pools of connections for outgoing HTTP: one for public addresses and one for private targets.

There are two because the address of a pooled connection is not checked again.
"""

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from effects.address import CheckedResolver, checked_socket

NO_TIMEOUT = ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)  # the caller's covers all these


class Connections:
    """The two pools, each opened at its first use. They limit no numbers: their users do."""

    def __init__(self) -> None:
        self._sessions: dict[bool, ClientSession] = {}
        self.closed = False

    def session(self, *, private: bool) -> ClientSession:
        """Return the session for private targets, or for public addresses only."""
        if private not in self._sessions:
            guards = {} if private else {"resolver": CheckedResolver(), "socket_factory": checked_socket}
            connector = TCPConnector(limit=0, **guards)  # type: ignore[arg-type]
            # It reads no environment variables and keeps no cookies.
            self._sessions[private] = ClientSession(
                connector=connector, cookie_jar=DummyCookieJar(), timeout=NO_TIMEOUT, trust_env=False
            )
        return self._sessions[private]

    async def close(self) -> None:
        """Close all connections. May be called twice."""
        self.closed = True
        for session in self._sessions.values():
            await session.close()
