from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from effects.http_request import (
    MAX_HOPS,
    HttpRequest,
    PreparedTarget,
    RequestRefused,
    build_request,
    prepare_target,
    redirect_request,
)
from engine.flow.ask import HttpAsk
from engine.project.source import Target

BASE = "https://crm.example/api"


def target(url: str = BASE, **fields: Any) -> PreparedTarget:
    return prepare_target(Target(url=url, **fields))


def request_for(path: str = "/", url: str = BASE, **fields: Any) -> HttpRequest:
    return build_request(target(url), HttpAsk("crm", path=path, **fields))


@pytest.mark.parametrize(
    ("url", "path", "called"),
    [
        pytest.param(BASE, "/customers/7", "https://crm.example/api/customers/7", id="below the base path"),
        pytest.param(BASE + "/", "/customers/7", "https://crm.example/api/customers/7", id="a base with a slash"),
        pytest.param("https://crm.example", "/customers", "https://crm.example/customers", id="a base without a path"),
        pytest.param(BASE, "/", BASE, id="the target's own address"),
        pytest.param(BASE + "/", "", BASE + "/", id="the target's own address with its slash"),
        pytest.param(BASE, "/customers/", BASE + "/customers/", id="a slash at the end stays"),
        pytest.param(BASE, "/a%2Fb", BASE + "/a%2Fb", id="an encoded slash stays data"),
        pytest.param(BASE, "/https%3A%2F%2Fx.example%2Fy", BASE + "/https%3A%2F%2Fx.example%2Fy", id="a URL as data"),
        pytest.param(BASE, "/100%25", BASE + "/100%25", id="an encoded percent sign"),
        pytest.param(BASE, "/@evil.example/", BASE + "/@evil.example/", id="an at sign is no host"),
        pytest.param(BASE, "/:80", BASE + "/:80", id="a colon is no port"),
        pytest.param(BASE, "/café menu", BASE + "/caf%C3%A9%20menu", id="characters that an author did not encode"),
        pytest.param(BASE, "/...", BASE + "/...", id="three dots are a name"),
        pytest.param("http://[2606:4700::1]:8080/a", "/b", "http://[2606:4700::1]:8080/a/b", id="an IPv6 host"),
    ],
)  # fmt: skip
def test_a_path_is_put_below_the_target(url: str, path: str, called: str) -> None:
    assert str(request_for(path, url).url) == called


@pytest.mark.parametrize(
    "path",
    [
        "/..", "/../admin", "/a/../../admin", "/.", "/a/./b", "/%2e%2e/admin", "/%2E./admin", "/.%2e", "/%252e%252e/",
        "/%25252e%25252e/", "/a%2F..%2Fb", "/a%5C..%5Cb", "/..%2f..%2fadmin", "/..;/admin", "/..%3Bx/admin", "/.. /x",
        "/..\\admin", "//evil.example", "//evil.example/../", "/a//b", "/\\evil.example", "\\\\evil.example",
        "evil.example", "@evil.example", ":80/", ".evil.example/", "https://evil.example/", "/a?admin=1", "/a#x",
        "/a\r\nHost: evil", "/a\tb", "/a\x00", "/%", "/%zz", "/a%2", "/" + "%25" * 9 + "2525252e", "/\ud800",
        "/" + "a" * 8000,
    ],
    ids=ascii,
)  # fmt: skip
def test_a_path_that_could_leave_the_base_path_is_refused(path: str) -> None:
    with pytest.raises(RequestRefused):
        request_for(path)


@given(st.text())
def test_no_path_leaves_the_host_and_the_base(path: str) -> None:
    try:
        called = request_for("/" + path).url
    except RequestRefused:
        return
    normal = URL(str(called))  # reads it as a server would
    assert (normal.scheme, normal.host, normal.port) == ("https", "crm.example", 443)
    assert normal.path == "/api" or normal.path.startswith("/api/")


@pytest.mark.parametrize(
    ("query", "written"),
    [
        pytest.param({"q": "a b&c=d#e?f/g"}, "?q=a%20b%26c%3Dd%23e%3Ff%2Fg", id="special characters of a URL are data"),
        pytest.param({"id": [1, "zwei", 2.5]}, "?id=1&id=zwei&id=2.5", id="a list is the name several times"),
        pytest.param({"yes": True, "no": False}, "?yes=true&no=false", id="booleans"),
        pytest.param({"a": None, "b": [None][:0]}, "", id="null and an empty list are nothing"),
        pytest.param({"a&b": "ü"}, "?a%26b=%C3%BC", id="names are encoded too"),
        pytest.param({"x": "1\r\nHost: evil"}, "?x=1%0D%0AHost%3A%20evil", id="a line break"),
    ],
)
def test_a_query_is_percent_encoded(query: dict[str, Any], written: str) -> None:
    assert str(request_for("/", query=query).url) == BASE + written


def test_a_targets_own_query_stays() -> None:
    assert str(request_for("/x", BASE + "?version=2", query={"a": 1}).url) == BASE + "/x?version=2&a=1"


@pytest.mark.parametrize("value", [{"a": 1}, [["a"]], "\ud800"], ids=["object", "list in a list", "a lone surrogate"])
def test_a_query_value_that_cannot_be_written_as_text_is_refused(value: Any) -> None:
    with pytest.raises(RequestRefused):
        request_for("/", query={"x": value})


def test_a_body_is_sent_as_json() -> None:
    request = request_for("/", method="post", body={"ä": [1, None]})
    assert (request.method, request.body) == ("POST", b'{"\xc3\xa4":[1,null]}')
    assert request.headers["content-type"] == "application/json"


def test_a_request_without_a_body_has_no_content_type() -> None:
    request = request_for("/", method="POST")
    assert request.body is None
    assert "content-type" not in request.headers


@pytest.mark.parametrize("body", ["\ud800", object()], ids=["a lone surrogate", "an object of Python"])
def test_a_body_that_is_not_json_is_refused(body: Any) -> None:
    with pytest.raises(RequestRefused):
        request_for("/", method="POST", body=body)


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "GET /x HTTP/1.1\r\n", ""], ids=ascii)
def test_other_methods_are_refused(method: str) -> None:
    with pytest.raises(RequestRefused):
        request_for("/", method=method)


def test_every_request_carries_the_targets_headers_and_an_ask_may_add_others() -> None:
    request = build_request(
        target(headers={"X-Key": "k"}), HttpAsk("crm", headers={"X-Trace": "t", "Accept": "text/csv"})
    )
    assert request.headers["x-key"] == "k"
    assert request.headers["x-trace"] == "t"
    assert request.headers["accept"] == "text/csv"


@pytest.mark.parametrize("hops", [0, 1, MAX_HOPS - 1])
def test_a_request_and_its_redirects_count_the_look_ups_that_led_to_it(hops: int) -> None:
    crm = target(headers={"Headrace-Hops": "0"}, redirects=1)
    request = build_request(crm, HttpAsk("crm", headers={}), hops)
    away = redirect_request(crm, request, 302, "https://evil.example/")
    assert away is not None
    assert request.headers["headrace-hops"] == away.headers["headrace-hops"] == str(hops + 1)


def test_no_request_is_built_after_too_many_look_ups_in_a_row() -> None:
    with pytest.raises(RequestRefused, match="a target leads back to us"):
        build_request(target(), HttpAsk("crm"), MAX_HOPS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", "Bearer mine"),
        ("AUTHORIZATION", "Bearer mine"),
        ("Host", "evil.example"),
        ("Content-Length", "3"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("Upgrade", "h2c"),
        ("Proxy-Authorization", "x"),
        ("TE", "trailers"),
        ("X-A", "1\r\nX-B: 2"),
        ("X-A", "1\n2"),
        ("X-A", "a\x00b"),
        ("X-A", "ä"),
        ("X-A\r\nX-B", "1"),
        ("X A", "1"),
        ("", "1"),
        (":path", "/"),
    ],
    ids=ascii,
)
def test_a_header_that_an_ask_may_not_set_is_refused(name: str, value: str) -> None:
    with pytest.raises(RequestRefused):
        build_request(target(headers={"Authorization": "Bearer the-target's"}), HttpAsk("crm", headers={name: value}))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://crm.example/", "file:///etc/passwd", "https://", "https:///x", "http://a b/", "crm", "http://[::1",
        "http://crm.example\\@evil/", "http://crm.example\r\nx", "http://user:password@crm.example/",
        "http://user@crm.example/", "http://crm.example:99999/", "http://crm.example/#x",
    ],
    ids=ascii,
)  # fmt: skip
def test_a_target_with_a_bad_address_is_refused(url: str) -> None:
    with pytest.raises(RequestRefused):
        target(url)


@pytest.mark.parametrize(
    ("name", "value"), [("Host", "x"), ("X-A", "1\r\n2"), ("a b", "c")], ids=["Host", "a line break", "a space"]
)
def test_a_target_with_a_bad_header_is_refused(name: str, value: str) -> None:
    with pytest.raises(RequestRefused):
        target(headers={name: value})


# Redirects

SECRET = {"Authorization": "Bearer s3cr3t-token"}


def redirect(location: str | None, *, status: int = 302, url: str = BASE, **fields: Any) -> HttpRequest | None:
    crm = target(url, headers=SECRET, private=True, redirects=3)
    return redirect_request(crm, build_request(crm, HttpAsk("crm", path="/old", **fields)), status, location)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/new", "https://crm.example/new"),
        ("new?a=1", "https://crm.example/api/new?a=1"),
        ("https://CRM.example/new#part", "https://crm.example/new"),
        ("?page=2", "https://crm.example/api/old?page=2"),
    ],
)
def test_a_redirect_within_the_target_keeps_its_headers(location: str, url: str) -> None:
    request = redirect(location)
    assert request is not None
    assert str(request.url) == url
    assert request.headers["authorization"] == SECRET["Authorization"]
    assert request.private


@pytest.mark.parametrize(
    "location", ["https://evil.example/", "//evil.example/x", "https://crm.example.evil.example/", "https://crm/"]
)
def test_a_redirect_to_another_host_carries_only_default_headers(location: str) -> None:
    request = redirect(location, headers={"X-Visitor": "ann"})
    assert request is not None
    assert set(request.headers) == {"accept", "accept-encoding", "user-agent", "headrace-hops"}
    assert not request.private


def test_a_redirect_back_from_another_host_carries_only_default_headers() -> None:
    crm = target(headers=SECRET, private=True, redirects=3)
    away = redirect_request(crm, build_request(crm, HttpAsk("crm")), 302, "https://evil.example/")
    assert away is not None
    back = redirect_request(crm, away, 302, "https://crm.example/api")
    assert back is not None
    assert "authorization" not in back.headers
    assert not back.private


def test_a_redirect_to_https_on_the_same_host_keeps_the_headers() -> None:
    request = redirect("https://crm.example/x", url="http://crm.example/")
    assert request is not None
    assert "authorization" in request.headers


@pytest.mark.parametrize(
    "location",
    [
        "http://crm.example/", "ftp://crm.example/", "file:///etc/passwd", "https://user:pw@evil.example/",
        "https://evil.example:8443/", "https://crm.example:22/", "https://evil.example\\@crm.example/", "https://a b/",
        "javascript:alert(1)", "https://[::1", "https://evil.example:99999/", "/" + "a" * 8001,
    ],
    ids=ascii,
)  # fmt: skip
def test_a_redirect_to_an_unsafe_address_is_refused(location: str) -> None:
    with pytest.raises(RequestRefused):
        redirect(location)


def test_a_redirect_does_not_carry_a_body_to_another_host() -> None:
    with pytest.raises(RequestRefused):
        redirect("https://evil.example/", status=307, method="POST", body={"email": "ann@example.com"})


@pytest.mark.parametrize(
    ("status", "method", "then", "keeps"),
    [
        (301, "POST", "GET", False),
        (302, "POST", "GET", False),
        (303, "PUT", "GET", False),
        (302, "PUT", "PUT", True),
        (307, "POST", "POST", True),
        (308, "POST", "POST", True),
    ],
)
def test_a_redirect_changes_the_method_as_browsers_do(status: int, method: str, then: str, keeps: bool) -> None:
    request = redirect("/new", status=status, method=method, body={"a": 1})
    assert request is not None
    assert (request.method, request.body is not None, "content-type" in request.headers) == (then, keeps, keeps)


@pytest.mark.parametrize(("status", "location"), [(200, "/x"), (304, "/x"), (201, "/x"), (302, None), (300, "/x")])
def test_other_answers_are_no_redirects(status: int, location: str | None) -> None:
    assert redirect(location, status=status) is None
