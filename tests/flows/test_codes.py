"""The table of codes: it must have a title for every code in use."""

import re
from pathlib import Path

import flows
from flows.codes import CODES


def test_the_table_has_every_code_in_use_and_no_other() -> None:
    folder = Path(flows.__file__).parent
    used = {
        code
        for path in folder.glob("*.py")
        if path.name != "codes.py"
        for code in re.findall(r'"(H[04]\d\d)"', path.read_text())
    }
    assert used == set(CODES)


def test_no_two_codes_have_the_same_title() -> None:
    assert len(set(CODES.values())) == len(CODES)
