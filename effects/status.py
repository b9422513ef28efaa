"""What an HTTP status means to who asks."""

from typing import Final

BUSY: Final = frozenset({429, 500, 502, 503, 504})  # not now: as good as no answer, so it may be asked again
