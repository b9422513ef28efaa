import socket

import pytest

from effects.address import CheckedResolver, ForbiddenAddress, checked_socket, refusal_reason

REFUSED = {
    "loopback": "127.0.0.1",
    "anywhere in the loopback net": "127.255.3.4",
    "unspecified": "0.0.0.0",  # noqa: S104
    "this network": "0.1.2.3",
    "private 10": "10.1.2.3",
    "private 172": "172.31.255.255",
    "private 192": "192.168.0.1",
    "carrier-grade NAT": "100.64.0.1",
    "link-local": "169.254.1.1",
    "metadata": "169.254.169.254",
    "metadata in the carrier's net": "100.100.100.200",
    "metadata at a public address": "168.63.129.16",
    "metadata in the protocol net": "192.0.0.192",
    "benchmark net": "198.19.0.1",
    "documentation net": "203.0.113.9",
    "relay of 6to4": "192.88.99.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "v6 loopback": "::1",
    "v6 unspecified": "::",
    "v6 unique local": "fd12:3456::1",
    "v6 metadata": "fd00:ec2::254",
    "v6 link-local": "fe80::1",
    "v6 link-local with a zone": "fe80::1%eth0",
    "v6 site-local": "fec0::1",
    "v6 multicast": "ff02::1",
    "v6 documentation": "2001:db8::1",
    "v6 newer documentation": "3fff::1",
    "v6 discard": "100::1",
    "v6 protocol assignments": "2001:10::1",
    "mapped loopback": "::ffff:127.0.0.1",
    "mapped metadata": "::ffff:169.254.169.254",
    "compatible loopback": "::127.0.0.1",
    "NAT64 of the metadata address": "64:ff9b::a9fe:a9fe",
    "NAT64 of a private address": "64:ff9b::a00:1",
    "NAT64 with a local prefix": "64:ff9b:1::808:808",
    "6to4 of loopback": "2002:7f00:1::",
    "6to4 of a private address": "2002:c0a8:1::1",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "ISATAP of a private address": "2a00:1450::5efe:10.0.0.1",
    "ISATAP of a private address, marked universal": "2a00:1450::200:5efe:10.0.0.1",
    "no address at all": "crm.example",
}

ALLOWED = {
    "public": "93.184.216.34",
    "just above private 172": "172.32.0.1",
    "just below private 172": "172.15.255.255",
    "just above carrier-grade NAT": "100.128.0.1",
    "public v6": "2606:4700::1111",
    "mapped public": "::ffff:8.8.8.8",
    "NAT64 of a public address": "64:ff9b::808:808",
    "6to4 of a public address": "2002:808:808::1",
}


@pytest.mark.parametrize("address", REFUSED.values(), ids=REFUSED.keys())
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert refusal_reason(address)


@pytest.mark.parametrize("address", ALLOWED.values(), ids=ALLOWED.keys())
def test_a_public_address_is_allowed(address: str) -> None:
    assert refusal_reason(address) is None


@pytest.mark.parametrize("name", ["localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "①②⑦.⓪.⓪.①"])
async def test_a_name_that_resolves_to_this_machine_is_forbidden(name: str) -> None:
    with pytest.raises(ForbiddenAddress):
        await CheckedResolver().resolve(name, 80, socket.AF_UNSPEC)


def test_no_socket_is_made_for_a_refused_address() -> None:
    with pytest.raises(ForbiddenAddress):
        checked_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80)))


def test_a_socket_is_made_for_a_public_address() -> None:
    with checked_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 80))) as made:
        assert made.family == socket.AF_INET
