"""docs/access.md: its numbers and commands are those of the code."""

import re
from typing import Any

import pytest
from typer.testing import CliRunner

from api.access.accounts import MAX_KEYS, MAX_USERS
from api.access.attempts import OF_ADDRESS, OF_NAME, OF_ONE
from api.access.logins import IDLE_MS, LONGEST_MS, PERSONAL_MS
from api.access.passwords import AT_ONCE, LEAST, MOST
from api.access.users import LINK_MS
from cli.main import app
from tests.docs.page import ROOT

TEXT = (ROOT / "docs" / "access.md").read_text()
HOUR = 3_600_000


@pytest.mark.parametrize(
    "said",
    [
        f"within {LINK_MS // HOUR} hours",
        f"after {IDLE_MS // HOUR} hours without",
        f"after {LONGEST_MS // (24 * HOUR)} days",
        f"for {PERSONAL_MS // 60_000} minutes",
        f"Passwords have {LEAST} to {MOST} characters",
        f"{MAX_USERS} users and {MAX_KEYS} access keys",
        {5: "After five wrong passwords"}[OF_ONE],
        f"after {OF_NAME}\n  attempts a minute",
        f"after {OF_ADDRESS} attempts",
        {2: "at most two are computed"}[AT_ONCE],
    ],
)
def test_a_number_is_that_of_the_code(said: str) -> None:
    assert said in TEXT


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`headrace ((?:user|access key) \w+)", TEXT))))
def test_a_command_exists(command: str) -> None:
    result: Any = CliRunner().invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0, result.output
