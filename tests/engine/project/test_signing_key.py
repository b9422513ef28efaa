from base64 import b64encode

import pytest

from engine.project.signing_key import BadSigningKey, signing_keys

NEW, OLD = bytes(range(32)), b"k" * 24


def _written(key: bytes) -> str:
    return "whsec_" + b64encode(key).decode()


def test_one_key_or_two_while_it_changes() -> None:
    assert signing_keys(_written(NEW)) == (NEW,)
    assert signing_keys(f"{_written(NEW)}, {_written(OLD)}") == (NEW, OLD)


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        pytest.param("hello", "does not begin with `whsec_`", id="another text"),
        pytest.param("", "does not begin with `whsec_`", id="no text"),
        pytest.param("whsec_%%%", "not Base64", id="no Base64"),
        pytest.param("whsec_é", "not Base64", id="no ASCII"),
        pytest.param(_written(b"k" * 23), "23 bytes", id="too short"),
        pytest.param(_written(b"k" * 65), "65 bytes", id="too long"),
        pytest.param(_written(NEW) + ",", "does not begin with `whsec_`", id="an empty second key"),
        pytest.param(",".join([_written(NEW)] * 3), "more than two", id="three keys"),
    ],
)
def test_a_text_that_is_no_key_is_refused_without_repeating_it(secret: str, reason: str) -> None:
    with pytest.raises(BadSigningKey, match=reason) as refused:
        signing_keys(secret)
    assert len(secret) < 10 or secret not in str(refused.value)
