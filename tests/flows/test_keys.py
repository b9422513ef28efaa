"""The settings about identity keys and merging in `headrace.yaml`."""

from pathlib import Path

from engine.profile.key import DEFAULT_KEY_RULES, KeyRules
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
