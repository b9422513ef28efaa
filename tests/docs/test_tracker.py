"""The page about the tracker: the script element, the options and the sample page are those of the code."""

import re
from pathlib import Path

from typer.testing import CliRunner

from api.tracker import current_script
from cli.main import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tracker.md").read_text()
SOURCES = {file.stem: file.read_text() for file in (ROOT / "tracker" / "src").glob("*.ts")}


def test_the_script_element_is_what_the_command_prints(tmp_path: Path) -> None:
    (name, text), *_ = re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "sources").mkdir()
    (tmp_path / name).write_text(text)
    line, shown = re.findall(r"```console\n\$ headrace (.*?)\n(.*?)```", PAGE, re.DOTALL)[0]
    printed = CliRunner().invoke(app, [*line.split(), "--project", str(tmp_path)])
    assert printed.exit_code == 0
    script = current_script()
    assert printed.stdout == shown.replace("HASH", script.hash).replace("sha384-…", script.integrity)


def test_the_options_and_calls_of_the_page_are_those_of_the_tracker() -> None:
    options = re.findall(r"^\|(?: `data-[a-z-]+`)? \| `(\w+)` \|", PAGE, re.MULTILINE)
    known = re.findall(r"^  (\w+)\??:", SOURCES["options"].partition("interface Options")[2], re.MULTILINE)
    assert set(options) == set(known)
    assert set(re.findall(r"^\| `headrace\('(\w+)'", PAGE, re.MULTILINE)) == {
        "init", "track", "page", "identify", "consent", "reset",
    }  # fmt: skip


def test_the_limits_of_the_page_are_those_of_the_tracker() -> None:
    numbers = dict(re.findall(r"const ([A-Z_]+) = ([\d_]+);", "\n".join(SOURCES.values())))
    assert (numbers["MAX_ENTRIES"], numbers["MAX_LENGTH"], numbers["SOON"], numbers["ENOUGH"]) == (
        "500", "500_000", "2_000", "10",
    )  # fmt: skip


def test_the_sample_page_sends_to_a_source_of_the_starter() -> None:
    page = (ROOT / "docs" / "tracker-sample.html").read_text()
    (source,) = re.findall(r'data-source="([^"]+)"', page)
    assert (ROOT / "flows" / "starter" / "sources" / f"{source}.yaml").exists()
