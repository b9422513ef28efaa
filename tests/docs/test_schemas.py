"""The page of schemas has every type, in its tables as in the code, and the limits of the code."""

import re

import pytest

from engine.schema.cast import LEFT_OUT, cast
from engine.schema.schema import MAX_COLLECTIONS, MAX_FIELDS, MAX_NAME
from engine.schema.value_type import SCALARS, TYPES
from tests.docs.page import ROOT

PAGE = (ROOT / "docs" / "schemas.md").read_text()
CASTING = re.findall(r"^\| `([A-Z_]+)…?` \|(.*)\|$", PAGE.partition("## Casting")[2], re.MULTILINE)
COLUMNS = (True, 5, None, [5], {"a": 5})  # texts depend on their content


def test_the_casting_table_has_every_type() -> None:
    assert [name for name, _ in CASTING] == [*SCALARS, "ARRAY_", "MAP_"]


@pytest.mark.parametrize(("name", "row"), CASTING)
def test_a_dash_stands_where_a_value_cannot_be_cast(name: str, row: str) -> None:
    type = TYPES[name if name in TYPES else f"{name}STRING"]
    for value, cell in zip(COLUMNS, row.split(" | "), strict=True):
        if value is not None:
            assert (cast(value, type).value is LEFT_OUT) == (cell.strip() == "–"), (value, cell)


def test_the_limits_are_those_of_the_code() -> None:
    limits = PAGE.partition("## Limits")[2]
    numbers = [int(number) for number in re.findall(r"\| (\d+)", limits)]
    assert numbers == [MAX_FIELDS, MAX_COLLECTIONS, MAX_NAME]
