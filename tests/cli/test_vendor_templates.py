"""`headrace init --with`: the templates check, pass their tests, and take what the vendors' own libraries sign."""

import base64
import hmac
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
import stripe
from litestar.testing import AsyncTestClient
from slack_sdk.signature import SignatureVerifier
from twilio.request_validator import RequestValidator
from typer.testing import CliRunner

from api.app import create_app
from cli.main import app
from cli.vendor_templates import template_names
from effects.scripted import ScriptedPerformer
from flows.project import load_project
from flows.recorded import RecordedRequest, read_recorded
from nodes import builtin
from storage.memory import MemoryStore

NAMES = ("github", "mailgun", "shopify", "slack", "stripe", "twilio")
SECRETS = {
    "GITHUB_WEBHOOK_SECRET": "It's a Secret to Everybody",
    "MAILGUN_SIGNING_KEY": "key-of-the-tests",
    "SHOPIFY_WEBHOOK_SECRET": "hush-hush",
    "SLACK_SIGNING_SECRET": "8f742231b10e8888",
    "STRIPE_WEBHOOK_SECRET": "whsec_test_secret",
    "TWILIO_AUTH_TOKEN": "token-of-the-tests",
}
PUBLIC = "https://events.example.com"
ADMIN = {"Authorization": "Bearer the-key-of-the-tests"}


def headrace(*words: str) -> Any:
    return CliRunner(env=SECRETS | {"COLUMNS": "200"}).invoke(app, [*words])


def project_with(root: Path, *names: str) -> Path:
    made = headrace("init", "--empty", str(root / "club"), "--with", ",".join(names))
    assert made.exit_code == 0, made.output
    return root / "club"


def signed(vendor: str, recorded: RecordedRequest, body: bytes) -> tuple[bytes, dict[str, str]]:
    """Return a body and headers with the signature of now, by the vendor's library where it has one."""
    now = int(time.time())
    headers = {name: value for name, value in recorded.headers.items() if "signature" not in name}
    if vendor == "stripe":
        digest = hmac.digest(b"whsec_test_secret", b"%d." % now + body, "sha256").hex()
        stripe.WebhookSignature.verify_header(body.decode(), f"t={now},v1={digest}", "whsec_test_secret", 300)
        return body, headers | {"stripe-signature": f"t={now},v1={digest}"}
    if vendor == "github":
        digest = hmac.digest(SECRETS["GITHUB_WEBHOOK_SECRET"].encode(), body, "sha256").hex()
        return body, headers | {"x-hub-signature-256": f"sha256={digest}"}
    if vendor == "shopify":
        digest = base64.b64encode(hmac.digest(b"hush-hush", body, "sha256")).decode()
        return body, headers | {"x-shopify-hmac-sha256": digest}
    if vendor == "slack":
        made = SignatureVerifier("8f742231b10e8888").generate_signature(timestamp=str(now), body=body)
        return body, headers | {"x-slack-signature": str(made), "x-slack-request-timestamp": str(now)}
    if vendor == "twilio":
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
        made = RequestValidator("token-of-the-tests").compute_signature(PUBLIC + recorded.target, fields)
        return body, headers | {"x-twilio-signature": made}
    return _signed_by_mailgun(now, body), headers


def _signed_by_mailgun(now: int, body: bytes) -> bytes:
    """Return a body of Mailgun with a signature of now; it is in the body."""
    is_form = not body.startswith(b"{")
    document = dict(parse_qsl(body.decode())) if is_form else json.loads(body)
    fields = document if is_form else document["signature"]
    fields["timestamp"] = str(now)
    made = hmac.digest(b"key-of-the-tests", f"{now}{fields['token']}".encode(), "sha256")
    fields["signature"] = made.hex()
    return urlencode(document).encode() if is_form else json.dumps(document).encode()


@pytest.mark.parametrize("names", [*[(name,) for name in NAMES], NAMES], ids="+".join)
def test_a_project_with_templates_checks_and_passes_its_tests(tmp_path: Path, names: tuple[str, ...]) -> None:
    root = project_with(tmp_path, *names)
    checked, tested = headrace("check", str(root)), headrace("test", str(root))
    assert checked.exit_code == 0, checked.output
    assert "warning" not in checked.output, checked.output
    assert tested.exit_code == 0, tested.output
    for name in names:
        played = headrace("webhook", "test", str(root / "webhooks" / f"{name}.http"), "--project", str(root), "--json")
        assert not any(each["failure"] or each["rejected"] for each in json.loads(played.stdout))


@pytest.mark.parametrize("vendor", NAMES)
async def test_requests_that_a_vendor_signs_are_stored_once(tmp_path: Path, vendor: str) -> None:
    root = project_with(tmp_path, vendor)
    project = load_project(root, builtin(), SECRETS).project
    application = create_app(project, MemoryStore(), performer=ScriptedPerformer(), admin_key="the-key-of-the-tests")
    async with AsyncTestClient(app=application) as client:

        async def sent(recorded: RecordedRequest, body: bytes, headers: dict[str, str]) -> int:
            answer = await client.request(recorded.method, recorded.target, content=body, headers=headers)
            return answer.status_code

        async def stored() -> list[str]:
            found = (await client.get("/search/events?limit=100&q=origin:client", headers=ADMIN)).json()["items"]
            return sorted(event["id"] for event in found)

        requests = read_recorded((root / "webhooks" / f"{vendor}.http").read_text())
        for recorded in requests:
            body, headers = signed(vendor, recorded, recorded.body)
            assert await sent(recorded, body, headers) == 200
        events = await stored()
        assert len(events) >= 3
        for recorded in requests:
            body, headers = signed(vendor, recorded, recorded.body)
            assert await sent(recorded, body, headers) == 200
            changed = (
                body.replace(b"signature", b"signaturf") if vendor == "mailgun" else body.replace(b"1", b"2") + b"&"
            )
            assert await sent(recorded, changed, headers) == 401
        assert await stored() == events


def test_a_template_may_be_added_to_a_project_that_is_there(tmp_path: Path) -> None:
    root = project_with(tmp_path, "stripe")
    added = headrace("init", str(root), "--with", "twilio")
    assert (added.exit_code, "TWILIO_AUTH_TOKEN" in added.output) == (0, True)
    assert "public_url" in (root / "headrace.yaml").read_text()
    again = headrace("init", str(root), "--with", "twilio")
    assert (again.exit_code, "already" in again.output) == (2, True)


def test_an_unknown_template_names_those_there_are(tmp_path: Path) -> None:
    made = headrace("init", str(tmp_path / "x"), "--with", "strip")
    assert made.exit_code == 2
    assert "did you mean `stripe`" in made.output
    assert "github, mailgun, shopify, slack, stripe, twilio" in made.output
    assert not (tmp_path / "x").exists()
    assert template_names() == NAMES
