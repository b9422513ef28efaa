"""The settings about identity keys and merging in `headrace.yaml`."""

from pathlib import Path

import pytest

from engine.profile.key import DEFAULT_KEY_RULES, Form, KeyRules, key_text
from flows.project import load_project
from nodes import builtin


def rules(tmp_path: Path, text: str) -> KeyRules:
    (tmp_path / "headrace.yaml").write_text(text)
    loaded = load_project(tmp_path, builtin(), environment={})
    assert loaded.diagnostics == ()
    return loaded.project.settings.keys


def test_forms_of_keys_and_limits_of_merging_are_read(tmp_path: Path) -> None:
    text = """
    keys: {pii.email: email, "pii['work phone']": phone, traits.login: lower, traits.card: exact}
    merging: {region: DE, most_per_key: 5, never: [" Info@Shop.example"]}
    """
    assert rules(tmp_path, text) == KeyRules(
        forms=(
            (("pii", "email"), "email"),
            (("pii", "work phone"), "phone"),
            (("traits", "login"), "lower"),
            (("traits", "card"), "exact"),
        ),
        region="DE",
        max_per_key=5,
        never=frozenset({"info@shop.example"}),
    )


def test_a_value_that_never_merges_is_listed_in_the_form_of_every_key(tmp_path: Path) -> None:
    text = """
    keys: {pii.phone: phone}
    merging: {never: ["+49 30 901820 ext. 12"]}
    """
    assert rules(tmp_path, text).never == {"+49 30 901820 ext. 12", "+4930901820;ext=12"}


def test_settings_without_keys_have_the_default_keys(tmp_path: Path) -> None:
    assert rules(tmp_path, "name: shop\n") == DEFAULT_KEY_RULES


def test_exclusive_keys_have_the_form_exact_unless_they_declare_another(tmp_path: Path) -> None:
    text = """
    keys:
      traits.card: {exclusive: true}
      pii.email: {form: email, exclusive: true}
      pii.phone: {form: phone}
      traits.login: {}
    """
    assert rules(tmp_path, text) == KeyRules(
        forms=((("pii", "email"), "email"), (("pii", "phone"), "phone"), (("traits", "card"), "exact")),
        exclusive=frozenset({("traits", "card"), ("pii", "email")}),
    )


@pytest.mark.parametrize(
    ("keys", "form"),
    [
        pytest.param("", "exact", id="not declared"),
        pytest.param("keys: {traits.customer: lower}", "lower", id="declared by a word"),
        pytest.param("keys: {\"traits['customer']\": {form: lower}}", "lower", id="declared by a map"),
        pytest.param("keys: {traits.customer: {exclusive: true}}", "exact", id="declared exclusive"),
    ],
)
def test_the_path_of_user_ids_is_exclusive_and_keeps_its_declared_form(tmp_path: Path, keys: str, form: Form) -> None:
    path = ("traits", "customer")
    assert rules(tmp_path, f"identity: {{user: traits.customer}}\n{keys}\n") == KeyRules(
        forms=((path, form),), exclusive=frozenset({path}), user=path
    )


def test_a_user_id_that_looks_like_an_address_is_compared_as_it_is(tmp_path: Path) -> None:
    declared = rules(tmp_path, "identity: {user: traits.email}\n")
    assert key_text(("traits", "email"), "Ann@Shop.example", declared) == "Ann@Shop.example"
