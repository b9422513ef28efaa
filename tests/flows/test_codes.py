"""The table of codes is what people are told of them; it must not lag behind."""

import re
from pathlib import Path

import flows
from flows.codes import CODES


def test_the_table_has_every_code_that_files_can_be_given_and_no_other() -> None:
    folder = Path(flows.__file__).parent
    given = {
        code
        for path in folder.glob("*.py")
        if path.name != "codes.py"
        for code in re.findall(r'"(H[04]\d\d)"', path.read_text())
    }
    assert given == set(CODES)


def test_every_title_is_a_phrase_of_its_own() -> None:
    assert len(set(CODES.values())) == len(CODES)
