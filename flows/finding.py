"""What is wrong with a text, while it is a text: indexes instead of key paths."""

from msgspec import Struct

from engine.problem import Problem


class Finding(Struct, frozen=True):
    """A stretch of the text and what is wrong with it."""

    code: str
    message: str
    start: int
    end: int
    help: str = ""

    def problem(self) -> Problem:
        """As a problem of the document: at its root an offset counts characters of the text."""
        length = max(1, self.end - self.start)
        return Problem(code=self.code, message=self.message, offset=self.start, length=length, help=self.help)
