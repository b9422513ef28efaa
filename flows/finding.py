"""Findings: problems of a text, located by indexes of the text, before it is a document with key paths."""

from msgspec import Struct

from engine.problem import Problem, Severity


class Finding(Struct, frozen=True):
    """A problem of the text from index `start` to before `end`."""

    code: str
    message: str
    start: int
    end: int
    help: str = ""
    severity: Severity = "error"

    def problem(self) -> Problem:
        """The finding as a problem of the document's root, where offsets count characters of the text."""
        length = max(1, self.end - self.start)
        return Problem(
            code=self.code,
            message=self.message,
            offset=self.start,
            length=length,
            help=self.help,
            severity=self.severity,
        )
