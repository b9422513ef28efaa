"""The page about imports: its files make a project, and its commands print what the page shows."""

import re
from pathlib import Path

from typer.testing import CliRunner, Result

from cli.main import app

PAGE = (Path(__file__).parents[2] / "docs" / "imports.md").read_text()
YAML = dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
CSV = re.findall(r"```csv\n(.*?)```", PAGE, re.DOTALL)[0]
SHOWN = re.findall(r"```console\n\$ headrace (.*?)\n(.*?)```", PAGE, re.DOTALL)


def headrace(root: Path, line: str) -> Result:
    words = [str(root / word) if word == "orders.csv" else word for word in line.split()]
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [*words, "--project", str(root)])


def test_the_page_shows_what_the_commands_print(tmp_path: Path) -> None:
    for name, text in (YAML | {"orders.csv": CSV}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert CliRunner().invoke(app, ["check", str(tmp_path)]).exit_code == 0
    for line, output in SHOWN:
        if "--url" in line:
            continue
        printed = headrace(tmp_path, line).output.replace(f"{tmp_path}/", "")
        printed = re.sub(r" \(\d+\.\d s, [\d,]+ rows/s\)", "", printed)
        assert [words.split() for words in printed.splitlines()] == [words.split() for words in output.splitlines()]
    assert headrace(tmp_path, "search events").output.count("order-placed") == 1
