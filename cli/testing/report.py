"""The report of `headrace test`: the results of all cases, file by file, and everything that could not be run."""

from msgspec import Struct, field

from cli.testing.expectations import Failure
from flows.cases import Playable

PASSED, FAILED, NOT_RUN = 0, 1, 2  # exit codes


class CaseResult(Struct, frozen=True):
    """The result of a case, with its index among the cases of its file. A case without failures has passed."""

    index: int
    seconds: float
    failures: list[Failure]
    notes: list[str] = field(default_factory=list)


class FileResult(Struct, frozen=True):
    """A test file of a project, with the results of the cases that ran."""

    project: str
    path: str  # relative to the current directory
    file: Playable
    cases: list[CaseResult] = field(default_factory=list)


class NotRun(Struct, frozen=True):
    """A path or text on the command line for which no case could be run, with the reason and its details."""

    name: str
    reason: str
    details: str = ""


class Report(Struct, frozen=True):
    """The results of one `headrace test`."""

    files: list[FileResult] = field(default_factory=list)
    not_run: list[NotRun] = field(default_factory=list)

    @property
    def cases(self) -> int:
        """The number of cases that ran."""
        return sum(len(file.cases) for file in self.files)

    @property
    def failed(self) -> int:
        """The number of cases that failed."""
        return sum(bool(case.failures) for file in self.files for case in file.cases)

    @property
    def exit_code(self) -> int:
        """The exit code. A failed case counts more than anything that could not be run."""
        if self.failed:
            return FAILED
        return NOT_RUN if self.not_run else PASSED
