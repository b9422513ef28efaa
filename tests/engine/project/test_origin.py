"""Which pages the entries of `origins` name."""

import pytest

from engine.project.origin import allows, lists, remedy

SUBDOMAINS = ("https://*.shop.example",)


@pytest.mark.parametrize(
    "origin",
    ["https://a.shop.example", "https://a.b.shop.example", "https://xn--a.shop.example", "https://a_b.shop.example"],
)
def test_a_wildcard_names_subdomains_of_any_depth(origin: str) -> None:
    assert (allows(SUBDOMAINS, origin), lists(SUBDOMAINS, origin)) == (True, True)


@pytest.mark.parametrize(
    "origin",
    [
        *("https://shop.example", "https://.shop.example", "https://evilshop.example", "https://a.shop.example.evil"),
        *("http://a.shop.example", "https://a.shop.example:8443", "https://a.shop.example/", "https://a..shop.example"),
        *("https://evil.example/.shop.example", "https://evil.example#.shop.example", "https://u@a.shop.example"),
        *("https://evil.example:1.shop.example", "https://a.shop.example ", "https://a.SHOP.example", "null", "*", ""),
        *("https://a.shop.example\n", "https://a\n.shop.example", "https://é.shop.example"),
        *("https:a.shop.example", "a.shop.example", "https://shop.example.a", "https://a-shop.example"),
    ],
    ids=repr,
)
def test_a_wildcard_names_nothing_but_subdomains(origin: str) -> None:
    assert (allows(SUBDOMAINS, origin), lists(SUBDOMAINS, origin)) == (False, False)


def test_a_wildcard_with_a_port_names_that_port() -> None:
    entries = ("http://*.localhost:3000",)
    found = [allows(entries, f"http://a.localhost{port}") for port in (":3000", ":3001", "", ":30001")]
    assert found == [True, False, False, False]


def test_a_later_entry_counts_as_the_first_does() -> None:
    entries = ("https://*.a.example", "https://*.example.org", "https://b.example")
    assert all(allows(entries, f"https://{host}") for host in ("x.a.example", "x.example.org", "b.example"))
    assert allows(("https://*.a.example", "https://*.b.a.example"), "https://c.b.a.example")


@pytest.mark.parametrize(
    ("entries", "origin"),
    [(("*",), "https://a.example"), (("*",), "*"), (("*",), "null"), (("null",), "null"), (("*", "null"), "null")],
)
def test_a_page_that_any_site_can_have_is_allowed_and_not_listed(entries: tuple[str, ...], origin: str) -> None:
    assert (allows(entries, origin), lists(entries, origin)) == (True, False)


@pytest.mark.parametrize(
    "entry",
    [
        *("*", "null", "https://shop.example", "http://localhost:3000", "https://*.shop.example", "http://[::1]:3000"),
        *("https://*.shop.example:8443", "http://*.localhost:3000", "chrome-extension://abc", "http://127.0.0.1"),
        *("https://shop.example:80", "http://shop.example:443", "https://a_b.example"),
    ],
)
def test_an_entry_that_a_page_can_match_needs_no_remedy(entry: str) -> None:
    assert remedy(entry) is None


@pytest.mark.parametrize(
    ("entry", "part"),
    [
        ("", "write scheme, host"),
        ("shop.example", "write scheme, host"),
        ("https://shop.example/", "without a path"),
        ("https://shop.example?", "without a path"),
        ("https://u@shop.example", "write scheme, host"),
        ("https://Shop.example", "small letters"),
        ("https://shop.example:", "write scheme, host"),
        ("https://shop.example:port", "write scheme, host"),
        ("https://shop.example:443", "drop the port"),
        ("http://shop.example:80", "drop the port"),
        ("https://*.shop.example:443", "drop the port"),
        ("https://müller.example", "xn--"),
        ("https://*.müller.example", "xn--"),
        ("*.shop.example", "https://*.shop.example"),
        ("https://*", "https://*.shop.example"),
        ("https://*.", "name the domain"),
        ("https://*.example", "name the domain"),
        ("https://*.com:8443", "name the domain"),
        ("https://*shop.example", "https://*.shop.example"),
        ("https://www.*.example", "https://*.shop.example"),
        ("https://*.*.shop.example", "https://*.shop.example"),
        ("https://shop.example:*", "https://*.shop.example"),
        ("*://shop.example", "https://*.shop.example"),
        ("https://*.shop.example/", "without a path"),
        ("https://*.Shop.example", "small letters"),
        ("**", "https://*.shop.example"),
    ],
)
def test_an_entry_that_no_page_can_match_has_its_remedy(entry: str, part: str) -> None:
    assert part in (remedy(entry) or "")
