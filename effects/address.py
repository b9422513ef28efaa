"""The addresses that look-ups may call: public ones, and private ones only for targets with `private: true`.

A name is resolved once, every resolved address is checked, and the connection goes to one of the checked addresses.
An IPv6 address that contains an IPv4 address (mapped, NAT64, 6to4, ISATAP) is checked as that IPv4 address. IPv6 is an
allow-list: only global unicast (2000::/3) is public, without the blocks that are reserved inside it.
"""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import AddrInfoType, ThreadedResolver
from aiohttp.abc import ResolveResult


class ForbiddenAddress(Exception):
    """A look-up may not call this address. Not an OSError: no connector must mistake it for a failed connection."""


def refusal_reason(address: str) -> str | None:
    """Return why `address`, as a resolver returns it, may not be called, or None if it may."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "not an address"
    if isinstance(parsed, IPv4Address):
        return _refusal_v4(parsed)
    return _refusal_v6(parsed)


def check_addresses(addresses: Iterable[str]) -> None:
    """Raise `ForbiddenAddress` if any of the addresses may not be called."""
    for address in addresses:
        reason = refusal_reason(address)
        if reason is not None:
            raise ForbiddenAddress(f"{address} is {reason}: only a target that says `private: true` is called there")


class CheckedResolver(ThreadedResolver):
    """The system's resolver. It raises `ForbiddenAddress` for a name with an address that is not public."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        results = await super().resolve(host, port, family)
        check_addresses(result["host"] for result in results)
        return results


def checked_socket(address: AddrInfoType) -> socket.socket:
    """Return a socket for exactly this address. Raises `ForbiddenAddress`.

    The address is checked again, because an address that a URL contains literally does not go through the resolver.
    """
    family, kind, protocol, _, host_and_port = address
    check_addresses((str(host_and_port[0]),))
    return socket.socket(family, kind, protocol)


def _refusal_v4(address: IPv4Address) -> str | None:
    return next((reason for network, reason in _V4_REFUSED if address in network), None)


def _refusal_v6(address: IPv6Address) -> str | None:
    embedded = _embedded_v4(address)
    if embedded is not None:
        return _refusal_v4(embedded)
    for network, reason in _V6_REFUSED:
        if address in network:
            return reason
    return None if address in _V6_PUBLIC else "reserved"


def _embedded_v4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address contains, if it contains one."""
    number = int(address)
    if address in _V6_MAPPED or address in _V6_NAT64:
        return IPv4Address(number & 0xFFFF_FFFF)
    if address in _V6_6TO4:
        return IPv4Address(number >> 80 & 0xFFFF_FFFF)
    if number >> 32 & 0xFCFF_FFFF == _ISATAP:
        return IPv4Address(number & 0xFFFF_FFFF)
    return None


_V6_MAPPED = IPv6Network("::ffff:0:0/96")
_V6_NAT64 = IPv6Network("64:ff9b::/96")
_V6_6TO4 = IPv6Network("2002::/16")
_V6_PUBLIC = IPv6Network("2000::/3")
_ISATAP = 0x0000_5EFE  # the ISATAP interface id without its universal and group bits

_V4_REFUSED = tuple(
    (IPv4Network(network), reason)
    for network, reason in (
        ("169.254.169.254/32", "a metadata service"),
        ("168.63.129.16/32", "a metadata service"),
        ("100.100.100.200/32", "a metadata service"),
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "for carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),  # 192.0.0.192 is a cloud's metadata service
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "a relay of 6to4"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)

_V6_REFUSED = tuple(
    (IPv6Network(network), reason)
    for network, reason in (
        ("fd00:ec2::254/128", "a metadata service"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
        ("64:ff9b:1::/48", "a private translation"),
        ("2001::/32", "a Teredo tunnel"),
        ("2001:db8::/32", "for documentation"),
        ("2001::/23", "reserved"),
        ("3fff::/20", "for documentation"),
    )
)
