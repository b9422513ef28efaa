import pytest

from engine.sending.answers import http_verdict, smtp_verdict


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((200, 201, 202, 204, 299), ("sent", "works")),
        ((400, 405, 406, 410, 411, 413, 414, 415, 422, 431, 501), ("dead", "works")),
        ((404, 409, 423, 425), ("again", "works")),
        ((401,), ("again", "refuses")),
        ((500,), ("again", "unknown")),
        ((100, 301, 302, 307, 402, 403, 407, 408, 429, 451, 502, 503, 504, 599), ("again", "fails")),
    ],
)
def test_an_http_status_decides(statuses, expected):
    assert {http_verdict(status) for status in statuses} == {expected}


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((250, 251), ("sent", "works")),
        ((421, 450, 451, 452, 354, -1), ("again", "fails")),
        ((530, 534, 535, 538), ("again", "refuses")),
        ((550, 552, 553, 554), ("dead", "works")),
    ],
)
def test_an_smtp_code_decides(codes, expected):
    assert {smtp_verdict(code) for code in codes} == {expected}
