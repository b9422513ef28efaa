"""`headrace token`: the tokens prove the requested keys, and invalid requests are refused."""

from io import StringIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.token import TokenRequest, token
from effects.clock import SystemClock
from engine.tracking.intake.user_token import proven_keys

SECRET = "s3cret-of-the-shop-and-its-back-end"
EMAIL = "pii.email=ann@example.com"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "shop.yaml").write_text('source: shop\nuser_secret: "${env:SHOP_SECRET}"\n')
    (tmp_path / "sources" / "lost.yaml").write_text('source: lost\nuser_secret: "${env:LOST_SECRET}"\n')
    (tmp_path / "sources" / "till.yaml").write_text("source: till\n")
    return tmp_path


def run(
    project: Path, source: str = "shop", *keys: str, ttl: str = "10m", session: str | None = None
) -> tuple[int, str]:
    out, err = StringIO(), StringIO()
    code = token(project, TokenRequest(source, keys or (EMAIL,), ttl, session), out, err, {"SHOP_SECRET": SECRET})
    assert not (out.getvalue() and err.getvalue())
    return code, out.getvalue() or err.getvalue()


def proves(signed: str, session: str | None = None, later: int = 0) -> object:
    return proven_keys(signed.strip(), SECRET, "shop", session, SystemClock().now() + later)


def test_a_token_proves_the_keys_that_were_set(project: Path) -> None:
    code, signed = run(project, "shop", EMAIL, "traits.customer=a=b")
    assert code == 0
    assert proves(signed) == {"pii.email": "ann@example.com", "traits.customer": "a=b"}


def test_a_token_is_valid_for_its_time_and_its_session(project: Path) -> None:
    _, signed = run(project, ttl="1h", session="s-1")
    assert proves(signed, "s-1", 3_500_000)
    assert proves(signed, "s-1", 3_601_000) is None
    assert proves(signed, "s-2") is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("shopp",), "did you mean `shop`?", id="an unknown source"),
        pytest.param(("till",), "add `user_secret: ${env:NAME}` to its file", id="a source without a secret"),
        pytest.param(("lost",), "`LOST_SECRET` is not set", id="a source of which the secret is missing"),
        pytest.param(("shop", "pii.email=undefined"), "is a placeholder", id="a placeholder"),
        pytest.param(("shop", "email=ann@example.com"), "below `pii` or `traits`", id="no path"),
        pytest.param(("shop", "pii.email"), "below `pii` or `traits`", id="no value"),
        pytest.param(("shop", "pii.email="), "below `pii` or `traits`", id="an empty value"),
    ],
)
def test_an_invalid_request_is_refused_with_a_remedy(project: Path, arguments: tuple[str, ...], message: str) -> None:
    code, text = run(project, *arguments)
    assert code == 2
    assert message in text


@pytest.mark.parametrize("ttl", ["0s", "soon", "25h", "10"])
def test_a_token_is_valid_for_a_day_at_most(project: Path, ttl: str) -> None:
    assert run(project, ttl=ttl) == (2, f"`{ttl}` is no time that a token can be valid for: write 10m, at most 24h\n")


def test_the_command_writes_the_token_and_nothing_else(project: Path) -> None:
    arguments = ["token", "shop", "--set", EMAIL, "--project", str(project)]
    result = CliRunner().invoke(app, arguments, env={"SHOP_SECRET": SECRET})
    assert (result.exit_code, result.output.count("\n")) == (0, 1)
    assert proves(result.output) == {"pii.email": "ann@example.com"}
