import time
from contextlib import suppress
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.absent import ABSENT, Unfit
from engine.language.url import CLICK_IDS, MAX_PARAMETERS, URL_CAP, parse_url, query_param, urldecode, utm

PLAIN = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(("text", "parts"), [
    (
        "HTTPS://Ann:secret@Shop.Example:8443/a%20b?x=1&y=%C3%BC&x=2&z=#top",
        {
            "scheme": "https", "host": "shop.example", "port": 8443, "path": "/a%20b", "query": "x=1&y=%C3%BC&x=2&z=",
            "params": {"x": "1", "y": "ü", "z": ""}, "fragment": "top",
        },
    ),
    ("https://shop.example", {"scheme": "https", "host": "shop.example", "params": {}}),
    ("/cart?items=2", {"path": "/cart", "query": "items=2", "params": {"items": "2"}}),
    ("mailto:ann@example.com", {"scheme": "mailto", "path": "ann@example.com", "params": {}}),
    ("https://[::1]:80/", {"scheme": "https", "host": "::1", "port": 80, "path": "/", "params": {}}),
    ("", {"params": {}}),
])  # fmt: skip
def test_an_address_is_divided_into_the_parts_that_it_has(text, parts):
    assert parse_url(text) == parts


@pytest.mark.parametrize("text", [1, "https://[::1", "http://a:99999/", "http://a:b/", "x" * (URL_CAP + 1)])
def test_a_text_that_is_no_address_is_unfit(text):
    for function in (parse_url, lambda value: query_param(value, "a"), utm):
        with pytest.raises(Unfit):
            function(text)


def test_an_address_has_a_bounded_number_of_parameters():
    query = "&".join(["a=1"] * MAX_PARAMETERS)
    assert query_param(f"/?{query}", "a") == "1"
    with pytest.raises(Unfit, match="1,000"):
        query_param(f"/?{query}&a=1", "a")


@pytest.mark.parametrize(("text", "value"), [
    ("/?a=b+c", "b c"), ("/?a=%2B", "+"), ("/?x=1", ABSENT), ("/", ABSENT), ("/?a", ""), ("/?a=1&a=2", "1"),
    ("/?a=%ff", "\ufffd"), ("/?A=1", ABSENT), ("/#?a=1", ABSENT), ("?a=1", "1"),
])  # fmt: skip
def test_a_parameter_has_its_first_value(text, value):
    assert query_param(text, "a") == value


@given(st.dictionaries(PLAIN, PLAIN, max_size=20))
def test_parameters_are_read_as_they_were_written(parameters):
    query = urlencode(parameters)
    if len(query) < URL_CAP:
        assert parse_url(f"https://shop.example/?{query}")["params"] == parameters
        assert all(query_param(f"?{query}", name) == value for name, value in parameters.items())


@given(st.text(st.characters()) | st.from_regex(r"https?://[^ ]{0,40}", fullmatch=True))
def test_any_text_is_read_or_unfit(text):
    for function in (parse_url, utm, urldecode, lambda value: query_param(value, "utm_source")):
        with suppress(Unfit, UnicodeError):
            function(text)


def test_a_campaign_has_the_parts_that_the_address_names():
    clicks = "&".join(f"{name}=click" for name in CLICK_IDS)
    address = f"https://shop.example/?utm_source=news&utm_medium=email&utm_campaign=May+sale&utm_term=&q=1&{clicks}"
    assert utm(address) == {
        "source": "news",
        "medium": "email",
        "campaign": "May sale",
        "click_ids": dict.fromkeys(CLICK_IDS, "click"),
    }
    assert utm("https://shop.example/") == {}


def test_the_longest_address_takes_little_time():
    begun = time.process_time()
    for text in ("/?" + "&a" * 4000, "/?" + "%ff" * 2700, "[" * URL_CAP, "http://" + "a." * 4000, "?" * URL_CAP):
        for function in (parse_url, utm):
            with suppress(Unfit):
                function(text)
    assert time.process_time() - begun < 5
