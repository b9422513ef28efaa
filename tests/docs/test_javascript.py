"""The page about JavaScript: its script returns what the page shows; its functions and limits are those of the code."""

import json
import re
from pathlib import Path

from effects.javascript import child
from effects.javascript.runner import MAX_PROCESSES, MAX_WAITING, JavaScriptRunner
from engine.project.script import Script
from tests.effects.javascript.worlds import MemoryWorld

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "javascript.md").read_text()
PRELUDE = (ROOT / "effects" / "javascript" / "prelude.js").read_text()


async def test_the_script_of_the_page_returns_what_the_page_shows() -> None:
    (text,) = re.findall(r"```js\n(.*?)```", PAGE, re.DOTALL)
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    runner = JavaScriptRunner()
    try:
        result = await runner.run(Script(file="page.js", text=text), "main", [{"key": "k"}], MemoryWorld(), 10_000)
    finally:
        await runner.close()
    assert result.value == json.loads(shown)
    assert len(result.log) == 1


def test_the_functions_and_limits_of_the_page_are_those_of_the_code() -> None:
    for name in (
        "logger",
        "config",
        "eventStore",
        "http",
        "util",
        "parseFormData",
        "encryptToHex",
        "sha256",
        "setOnce",
    ):
        assert name in PAGE
        assert name in PRELUDE
    assert f"at most {MAX_WAITING} wait" in PAGE
    assert f"at most {MAX_PROCESSES} such processes" in PAGE
    assert f"{child.MEMORY >> 20} MiB of memory in a process of {child.ADDRESS_SPACE >> 20} MiB" in PAGE
    assert f"{child.MAX_LINES} lines of {child.MAX_LINE:,} characters" in PAGE
