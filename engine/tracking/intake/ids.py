"""Ids as clients send them: text, or a whole number, which becomes the text of its digits."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

MAX_ID = 200  # characters
NO_ID = "an id is text or a whole number"
JOINERS = {0x200C: None, 0x200D: None}  # parts of printed words and emoji, though no printable characters themselves

Name = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]

if TYPE_CHECKING:
    Id = str  # once its Struct has been made
else:
    Id = Name | int


def text_of_number(number: int) -> str:
    """Return the digits of a whole number, all of them. Raises `ValueError` for more than an id may have."""
    if number.bit_length() > 4 * MAX_ID or len(digits := str(number)) > MAX_ID:
        raise ValueError(f"an id has at most {MAX_ID} digits")
    return digits
