"""`headrace webhook test` and the cases of `headrace test` play recorded requests."""

import hmac
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app

FILES = {
    "headrace.yaml": "name: shop\nidentity: {user: traits.user_id}\n",
    "sources/shop.yaml": "source: shop\nidentify: trust\n",
    "webhooks/shop.yaml": (
        "webhook: shop\nsource: shop\nverify: github\nsecret: ${env:SHOP_SECRET}\nwhen: body.state == 'paid'\n"
        "event: {type: order-paid, user: '{{ body.customer }}', properties: {total: '{{ body.total | float }}'}}\n"
    ),
    "flows/count.yaml": (
        "flow: count\ntrigger: {event: order-paid}\nprofile: required\n"
        "nodes: {add: {profile.increment: {traits.spent: '{{ event.properties.total }}'}}}\n"
    ),
}
BODY = '{"id": 4711, "state": "paid", "customer": "C-1", "total": "41.90"}'
PAID = f"POST /webhook/collect/shop HTTP/1.1\nContent-Type: application/json\nX-GitHub-Delivery: d-1\n\n{BODY}\n"
CASES = """
flow: count
cases:
- name: a paid order counts once however often it is delivered
  steps:
  - webhook: paid.http
    expect: {event: {type: order-paid, properties.total: 41.9}, outcome: finished}
  - webhook: paid.http
    expect: {runs: {}}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in (FILES | {"webhooks/paid.http": PAID, "webhooks/shop.test.yaml": CASES}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def headrace(*words: str, secret: str | None = None) -> Result:
    environment = {"COLUMNS": "200"} | ({"SHOP_SECRET": secret} if secret else {})
    return CliRunner(env=environment).invoke(app, [*words])


def play(root: Path, *words: str, text: str = PAID, secret: str | None = None) -> Result:
    (root / "webhooks" / "paid.http").write_text(text)
    return headrace(
        "webhook", "test", str(root / "webhooks" / "paid.http"), *words, "--project", str(root), secret=secret
    )


def test_the_events_of_a_request_are_shown(root: Path) -> None:
    played = play(root)
    assert played.exit_code == 0, played.output
    assert "line 1: webhook shop" in played.output
    assert "signature: not checked: say --secret" in played.output
    assert '"type":"order-paid","id":"shop:d-1:0","user":"C-1","properties":{"total":41.9}' in played.output
    assert "answer: 1" in played.output


def test_a_signature_is_checked_where_the_secret_is_known(root: Path) -> None:
    made = hmac.digest(b"hush-hush-hush", BODY.encode(), "sha256").hex()
    signed = PAID.replace("X-GitHub", f"X-Hub-Signature-256: sha256={made}\nX-GitHub")
    for played in (
        play(root, "--secret", "hush-hush-hush", text=signed),
        play(root, text=signed, secret="hush-hush-hush"),
    ):
        assert (played.exit_code, "signature: right" in played.output) == (0, True), played.output
    wrong = play(root, "--secret", "other", text=signed)
    assert (wrong.exit_code, "signature: wrong" in wrong.output) == (1, True)
    assert play(root, "--secret", "hush-hush-hush").exit_code == 1


@pytest.mark.parametrize(
    ("old", "new", "shown", "code"),
    [
        ('"paid"', '"open"', "no event: the condition of the webhook", 0),
        ('"41.90"', '"x"', "rejected: webhook `shop`, the event: ", 1),
        (BODY, "{", "rejected: webhook `shop`: ", 1),
        ("POST", "PUT", "refused: the webhook takes POST, not PUT", 1),
        ("collect/shop", "collect/shup", "is not the address of a webhook", 2),
        ("Content-Type", "Content Type", "line 2: a header is `Name: value`", 2),
    ],
)
def test_a_request_without_an_event_says_why(root: Path, old: str, new: str, shown: str, code: int) -> None:
    played = play(root, text=PAID.replace(old, new))
    assert shown in played.output + played.stderr
    assert played.exit_code == code


def test_the_result_may_be_json(root: Path) -> None:
    (result,) = json.loads(play(root, "--json").stdout)
    assert result["webhook"] == "shop"
    assert result["events"][0]["type"] == "order-paid"


def test_a_test_case_plays_the_same_file(root: Path) -> None:
    played = headrace("test", str(root))
    assert played.exit_code == 0, played.output
    assert "1 passed" in played.output


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("paid.http", "pai.http", "there is no file `pai.http` beside this one"),
        ("paid.http", "../headrace.yaml", "there is no file `../headrace.yaml` beside this one"),
        ("total: 41.9", "total: 40", "properties.total"),
        ("- webhook: paid.http", "- webhook: paid.http\n    send: {type: x}", "a step does one thing"),
    ],
)
def test_a_test_case_with_a_mistake_says_where(root: Path, old: str, new: str, message: str) -> None:
    (root / "webhooks" / "shop.test.yaml").write_text(CASES.replace(old, new, 1))
    played = headrace("test", str(root))
    assert played.exit_code in (1, 2)
    assert message in played.output + played.stderr


def test_a_recording_of_no_webhook_is_a_diagnostic(root: Path) -> None:
    (root / "webhooks" / "paid.http").write_text(PAID.replace("collect/shop", "collect/shup"))
    played = headrace("check", str(root))
    assert "is not the address of a webhook" in played.output
