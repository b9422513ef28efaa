import pytest

from engine.flow.mail_address import address_defect, ascii_address, split_address


@pytest.mark.parametrize(
    "text",
    [
        *("ada@shop.example", " ada@shop.example ", "a.b+c@shop.example", "ada@localhost", "ada@bücher.example"),
        *("Ada <ada@shop.example>", '"Lovelace, Ada" <ada@shop.example>', "Ada Ü <ada@shop.example>"),
    ],
)
def test_an_address_of_one_person_is_valid(text: str) -> None:
    assert address_defect(text) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("ada@shop.example\nBcc: all@shop.example", "line break", id="a second header"),
        pytest.param("ada@shop.example\r", "line break", id="a carriage return"),
        pytest.param("Ada\u2028<ada@shop.example>", "line break", id="a line separator of Unicode"),
        pytest.param("ada", "no `@`", id="no at sign"),
        pytest.param("@shop.example", "in front of `@`", id="nothing in front"),
        pytest.param("ada@", "behind `@`", id="nothing behind"),
        pytest.param("ada@shop..example", "behind `@`", id="an empty label"),
        pytest.param("ada@-shop.example", "behind `@`", id="a label with a dash in front"),
        pytest.param("a@x.example, b@x.example", "in front of `@`", id="two addresses"),
        pytest.param("<a@x.example> <b@x.example>", "in front of `@`", id="two addresses in angle brackets"),
        pytest.param("a b@x.example", "in front of `@`", id="a space"),
        pytest.param("ä@x.example", "in front of `@`", id="a local part that is not ASCII"),
        pytest.param("a" * 65 + "@x.example", "in front of `@`", id="a local part that is too long"),
        pytest.param("=?utf-8?q?=0ABcc:_b@x.example?= <a@x.example>", "encoded word", id="an encoded line break"),
        pytest.param("a@" + "x." * 130 + "example", "longer than", id="too long"),
    ],
)
def test_what_is_no_address_of_one_person_is_refused(text: str, reason: str) -> None:
    assert reason in address_defect(text)


def test_the_host_of_an_address_is_ascii_where_it_is_sent() -> None:
    assert ascii_address(" Ada <ada@bücher.example> ") == "Ada <ada@xn--bcher-kva.example>"
    assert ascii_address("ada@shop.example") == "ada@shop.example"
    assert ascii_address("") == ""


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("b@x.example, Ada <a@x.example>", '"b@x.example, Ada" <a@x.example>'),
        ("b@x.example, <a@x.example>", '"b@x.example," <a@x.example>'),
        ("all: b@x.example; <a@x.example>", '"all: b@x.example;" <a@x.example>'),
        ('"Ada" , b@x.example, "" <a@x.example>', '"Ada\\" , b@x.example, \\"" <a@x.example>'),
        ('"Ada\\" <a@x.example>', '"Ada\\\\" <a@x.example>'),
    ],
)
def test_a_name_adds_no_recipient(text: str, header: str) -> None:
    assert address_defect(text) == ""
    assert ascii_address(text) == ascii_address(header) == header


def test_an_address_is_divided_into_name_and_address() -> None:
    assert split_address('"Lovelace, Ada" <ada@shop.example>') == ("Lovelace, Ada", "ada@shop.example")
    assert split_address("ada@shop.example") == ("", "ada@shop.example")
