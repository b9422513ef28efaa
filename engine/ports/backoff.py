"""Back-off: how long to pause before another attempt. The formula only: the caller sleeps and draws the chance."""

from msgspec import Struct

MAX_DOUBLINGS = 16  # beyond them every pause is the longest one anyway, and the power stays small


class BackoffFormula(Struct, frozen=True):
    """Pauses that double from `first` up to `longest` seconds.

    `certain` (0 to 1) is the share of a pause that is never left out; chance decides about the rest, so that processes
    or units that failed together do not come back together.
    """

    first: float
    longest: float
    certain: float = 0.5

    def pause(self, failures: int, chance: float) -> float:
        """Return the seconds to wait after so many failures (from 1); `chance` is from 0 to 1."""
        whole: float = min(self.longest, self.first * 2 ** min(failures - 1, MAX_DOUBLINGS))
        return whole * (self.certain + (1 - self.certain) * chance)
