"""What came of playing: the verdicts on all cases, file by file, and what could not be played."""

from msgspec import Struct, field

from cli.testing.expectations import Failure
from flows.cases import Playable

PASSED, FAILED, UNPLAYED = 0, 1, 2  # exit codes


class Played(Struct, frozen=True):
    """A case, by its place among those of its file: how long it took, and what came out otherwise."""

    index: int
    seconds: float
    failures: list[Failure]


class PlayedFile(Struct, frozen=True):
    """A test file of a project, with the cases that were played."""

    project: str
    path: str  # from where the command was given
    file: Playable
    cases: list[Played] = field(default_factory=list)


class Unplayed(Struct, frozen=True):
    """Something that was named and could not be played: why, and more of that."""

    name: str
    why: str
    more: str = ""


class Report(Struct, frozen=True):
    """What came of it all."""

    files: list[PlayedFile] = field(default_factory=list)
    unplayed: list[Unplayed] = field(default_factory=list)

    @property
    def played(self) -> int:
        """How many cases were played."""
        return sum(len(file.cases) for file in self.files)

    @property
    def failed(self) -> int:
        """How many of them came out otherwise."""
        return sum(bool(case.failures) for file in self.files for case in file.cases)

    @property
    def code(self) -> int:
        """The exit code. A case that fails is never hidden by what could not be played."""
        if self.failed:
            return FAILED
        return UNPLAYED if self.unplayed else PASSED
