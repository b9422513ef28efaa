"""Scripts of a project: the values that they are given, and the secrets among them."""

from engine.project.script import Script
from engine.project.secret import Secret

KEY = Secret("Bearer sesame", ("sesame",))
SCRIPT = Script(file="tasks/x.js", text="", params={"key": KEY, "more": {"keys": [KEY, 1]}, "since": "2026-01-01"})


def test_a_script_gets_its_values_as_plain_texts() -> None:
    plain = SCRIPT.plain_params()
    assert plain == {"key": "Bearer sesame", "more": {"keys": ["Bearer sesame", 1]}, "since": "2026-01-01"}
    assert {type(plain["key"]), type(plain["more"]["keys"][0])} == {str}


def test_the_secrets_of_a_script_are_hidden_in_what_it_says() -> None:
    assert SCRIPT.without_secrets("GET with Bearer sesame since 2026-01-01") == "GET with Bearer *** since 2026-01-01"
    assert "sesame" not in repr(SCRIPT)


def test_of_secrets_within_one_another_the_longest_is_hidden() -> None:
    script = Script(file="x.js", text="", params={"a": Secret("ab"), "b": Secret("abc")})
    assert script.without_secrets("abcab") == "******"
