"""The warning about a key that one source proves and another one only claims: where `check` stays quiet."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import flows
from flows.diagnostic import Diagnostic
from flows.project import load_project
from nodes import builtin

MERGE = '{profile.merge: {pii.email: "{{ event.properties.email }}"}}'
FILES = {
    "flows/recognise.yaml": f"flow: recognise\ntrigger: {{event: login}}\nnodes:\n  who: {MERGE}\n",
    "sources/server.yaml": "source: server\nidentify: trust\n",
    "sources/pages.yaml": "source: pages\n",
}
ENVIRONMENT = {"SHOP_USER_SECRET": "0123456789abcdef0123456789abcdef"}


def codes(root: Path, files: Mapping[str, str]) -> list[str]:
    return [diagnostic.code for diagnostic in diagnostics(root, files)]


def diagnostics(root: Path, files: Mapping[str, str]) -> Sequence[Diagnostic]:
    for name, text in {**FILES, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return load_project(root, builtin(), ENVIRONMENT).diagnostics


def test_a_claim_beside_a_proof_of_the_same_key_is_a_warning(tmp_path: Path) -> None:
    assert codes(tmp_path, {}) == ["H419"]


@pytest.mark.parametrize(
    ("accepts", "tokens"), [("track", True), ("segment", False), ("segment, track", True)], ids=str
)
def test_user_tokens_are_a_remedy_where_payloads_can_carry_them(tmp_path: Path, accepts: str, tokens: bool) -> None:
    all_found = diagnostics(tmp_path, {"sources/pages.yaml": f"source: pages\naccepts: [{accepts}]\n"})
    (found,) = [diagnostic for diagnostic in all_found if diagnostic.code == "H419"]
    assert ("let the pages send user tokens" in (found.help or "")) == tokens


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(
            {"sources/pages.yaml": 'source: pages\nuser_secret: "${env:SHOP_USER_SECRET}"\n'}, id="with tokens"
        ),
        pytest.param({"sources/pages.yaml": "source: pages\nidentify: trust\n"}, id="if both prove"),
        pytest.param({"sources/server.yaml": "source: server\n"}, id="if both claim"),
        pytest.param({"sources/pages.yaml": "source: pages\nidentify: refuse\n"}, id="if the other refuses keys"),
        pytest.param({"sources/pages.yaml": "source: pages\nenabled: false\n"}, id="if the other is disabled"),
        pytest.param({"sources/server.yaml": "source: server\nidentify: trust\nenabled: false\n"}, id="without proofs"),
        pytest.param(
            {"flows/recognise.yaml": FILES["flows/recognise.yaml"].replace("login", "login, source: server")},
            id="if only one source starts the flow",
        ),
        pytest.param(
            {
                "flows/recognise.yaml": FILES["flows/recognise.yaml"].replace(
                    "login", "login, when: source.kind == 'secret'"
                )
            },
            id="if the trigger chooses the source by a condition",
        ),
        pytest.param(
            {
                "flows/recognise.yaml": FILES["flows/recognise.yaml"].replace(
                    "{profile.merge", "{when: source.id == 'server', profile.merge"
                )
            },
            id="if the node chooses the source by a condition",
        ),
        pytest.param(
            {
                "flows/recognise.yaml": FILES["flows/recognise.yaml"].replace(
                    "{profile.merge", "{disabled: true, profile.merge"
                )
            },
            id="if the node is disabled",
        ),
    ],
)
def test_there_is_no_warning(tmp_path: Path, files: Mapping[str, str]) -> None:
    assert codes(tmp_path, files) == []


@pytest.mark.parametrize("name", ["starter", "empty"])
def test_a_project_that_comes_with_headrace_has_no_warning(name: str) -> None:
    assert load_project(Path(flows.__file__).parent / name, builtin(), environment={}).diagnostics == ()
