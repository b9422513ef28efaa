"""Recorded requests are read as HTTP has them, and a mistake is reported with its line."""

import pytest

from flows.recorded import BadRecording, read_recorded

TWO = """# of the shop
POST /webhook/collect/shop?a=1&b=%C3%BC HTTP/1.1
Content-Type: application/json
X-Id: 7

{"id": 4711,

 "state": "paid"}

###
GET /event/hook/collect/shop
"""


def test_the_requests_of_a_file_are_read_in_their_order() -> None:
    first, second = read_recorded(TWO)
    assert (first.method, first.webhook, first.line) == ("POST", "shop", 2)
    assert first.headers == {"content-type": "application/json", "x-id": "7"}
    assert first.body == b'{"id": 4711,\n\n "state": "paid"}'
    assert (second.method, second.webhook, second.headers, second.body) == ("GET", "shop", {}, b"")
    request = first.request
    assert (request.path, request.target) == ("/webhook/collect/shop", "/webhook/collect/shop?a=1&b=%C3%BC")
    assert request.query == {"a": ["1"], "b": ["ü"]}
    assert request.headers[b"x-id"] == b"7"
    assert read_recorded(TWO.replace("\n", "\r\n")) == (first, second)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: there is no request"),
        ("###\n# nothing\n", "line 1: there is no request"),
        ("POST\n", "line 1: a request begins with its line"),
        ("\nPOST /x HTTP/1.1\nno header\n", "line 3: a header is `Name: value`"),
        ("POST /x\n\na\n###\nnot a line\n", "line 5: a request begins with its line"),
    ],
)
def test_a_mistake_is_reported_with_its_line(text: str, message: str) -> None:
    with pytest.raises(BadRecording) as raised:
        read_recorded(text)
    assert str(raised.value).startswith(message)


def test_another_address_is_that_of_no_webhook() -> None:
    assert read_recorded("POST /track\n")[0].webhook is None
