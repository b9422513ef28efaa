"""Commands print no character of stored data that a terminal obeys, whatever was sent."""

import asyncio
import io
import json
import re
from pathlib import Path

import pytest
from msgspec import Raw, structs
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

from cli.console import UNSAFE, Console, escape_json, print_lines
from cli.main import app
from engine.ports.kinds import SEARCHABLE
from engine.ports.records import Unit
from engine.ports.resolve import require_profile
from engine.profile.merge_history import explain_identity
from storage.sqlite.store import SqliteStore
from tests.engine.tracking.collector import Collector
from tests.projects import payload, project
from tests.storage.build import event, rejected, run, session_write
from tests.system.server_process import serving, write_project

# A title, a cleared screen, a colour by C1, a bell, deletion, reversed text, and line separators.
NASTY = "\x1b]0;owned\x07\x1b[2J\r\x9b31m\x08\x7f\u202egnp.exe\u2066\u200f\u2028\u2029\x85\x00\nforged line"
LOGIN = """
flow: login
trigger: {event: login}
nodes:
  who: {profile.merge: {pii.email: "{{ event.properties.email }}"}, next: note}
  note: {profile.set: {traits.city: "{{ event.properties.city }}", traits.all: "{{ event.properties }}"}}
"""
KINDS = [["search", kind, *more] for kind in SEARCHABLE for more in ([], ["--json"])]
COMMANDS = [
    *KINDS,
    *(["profile", "show", "ID", *more] for more in ([], ["--why"], ["--json"], ["--why", "--json"])),
    *(["segment", "explain", "ID", "nasty", *more] for more in ([], ["--json"])),
    *(["profile", "unmerge", "ID", "LINK", *more] for more in ([], ["--json"])),
    ["profile", "show", f"nobody{NASTY}".replace("\x00", "")],
    ["profile", "unmerge", "ID", f"nothing{NASTY}".replace("\x00", "")],
    *(["forget", "ID", "--yes", *more] for more in ([], ["--json"])),
]


def write_hostile(root: Path) -> Path:
    """A project with a segment whose condition reads the hostile values."""
    write_project(root, login=LOGIN)
    (root / "segments").mkdir()
    (root / "segments" / "nasty.yaml").write_text("segment: nasty\ncondition: profile.traits.city != 'x'\n")
    return root


async def fill(root: Path) -> tuple[str, str]:
    """Fill a store with hostile values by events and as documents. Returns the id of a profile, and its link."""
    store = SqliteStore.open(root / "headrace.db")
    shop = Collector(project(LOGIN), store)
    try:
        for session in ("phone", "laptop"):
            properties = {"city": f"{session}{NASTY}", "email": f"ann{NASTY}@example.com", NASTY: [NASTY]}
            answer = await shop.track(payload({"type": "login", "properties": properties}, session=session))
        stored = await require_profile(store, answer["profile"]["id"])
        link = explain_identity(stored, {})["links"][-1]
        await store.commit(
            Unit(
                events=(structs.replace(event(f"e{NASTY}", **{NASTY: NASTY}), type=NASTY, source=NASTY),),
                sessions=(session_write(f"s{NASTY}", source=NASTY, n=NASTY),),
                runs=(
                    structs.replace(run(f"r{NASTY}"), flow=NASTY, trace=Raw(json.dumps({"reason": NASTY}).encode())),
                ),
                rejected=(structs.replace(rejected(NASTY), reason=NASTY, body=Raw(NASTY.encode())),),
            )
        )
        return stored.id, str(link["link"])
    finally:
        await store.close()


def printed(words: list[str], names: tuple[str, str], *where: str) -> str:
    """The text that a command prints, on both outputs."""
    known = {"ID": names[0], "LINK": names[1]}
    result = CliRunner(env={"COLUMNS": "300"}).invoke(app, [known.get(word, word) for word in words] + [*where])
    assert result.exit_code in {0, 1, 2}, result.output
    assert not isinstance(result.exception, Exception), result.exception
    return result.stdout + result.stderr


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: ascii(" ".join(words)[:50]))
def test_no_command_prints_a_character_that_a_terminal_obeys(tmp_path: Path, words: list[str]) -> None:
    root = write_hostile(tmp_path)
    output = printed(words, asyncio.run(fill(root)), "--project", str(root))
    assert output
    assert UNSAFE.findall(output) == []
    assert not re.search(r"^forged line", output, re.MULTILINE)


def test_no_command_prints_such_a_character_of_an_answer_of_a_server(tmp_path: Path) -> None:
    root = write_hostile(tmp_path)
    names = asyncio.run(fill(root))
    with serving(root, root / "headrace.db") as served:
        for words in COMMANDS[:-2]:
            assert UNSAFE.findall(printed(words, names, "--url", served.address, "--project", str(root))) == []


def test_json_without_unsafe_characters_means_the_same() -> None:
    document = {"a": NASTY, NASTY: [f"ä\U0001f600{NASTY}"]}
    escaped = escape_json(json.dumps(document, ensure_ascii=False, indent=1))
    assert UNSAFE.findall(escaped) == []
    assert json.loads(escaped) == document


@pytest.mark.parametrize("text", ["Zoë", "漢字", "👨‍👩‍👧", "می‌خواهم", "a\tb", "é"])
def test_text_of_any_language_is_printed_as_it_is(text: str) -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(Text(text))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().expandtabs() == f"{text}\n".expandtabs()
    assert escape_json(f'"{text}"') == f'"{text}"'


def test_a_terminal_gets_the_colours_of_the_command_and_no_others() -> None:
    console = Console(file=io.StringIO(), width=200, force_terminal=True, color_system="standard", no_color=False)
    table = Table("one", box=None)
    table.add_row(Text(f"cell{NASTY}", style="red"))
    console.print(table)
    print_lines(console, [Text(f"line{NASTY}", style="green")])
    console.print(f"text{NASTY}", markup=False, highlight=False)
    assert isinstance(console.file, io.StringIO)
    output = console.file.getvalue()
    assert set(re.findall(r"\x1b\[[0-9;]*m", output)) <= {"\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[0m"}
    assert UNSAFE.findall(re.sub(r"\x1b\[[0-9;]*m", "", output)) == []
