"""Refused requests in the log: most clients of other systems drop such a request, and many of them say nothing."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from api.occasional_log import OccasionalLog

log = structlog.get_logger("headrace.track")


class RefusedRequests:
    """Logs refused requests: for each protocol and status at once, and then at most one line in ten seconds.

    `ticks` returns monotonic seconds.
    """

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._logs: dict[tuple[str, int], OccasionalLog] = {}
        self._detail = ""

    def refused(self, protocol: str, status: int, detail: str) -> None:
        """Count a refused request. `detail` is the reason; a line has that of the newest request."""
        self._detail = detail
        occasional = self._logs.get((protocol, status))
        if occasional is None:
            occasional = OccasionalLog(lambda count: self._write(protocol, status, count), self._ticks)
            self._logs[protocol, status] = occasional
        occasional.occurred()

    def failed(self, protocol: str, error: Exception, document: Mapping[str, Any]) -> None:
        """Count a request that was not taken, if its client sent something wrong; `document` is its problem's."""
        status = document["status"]
        if 400 <= status < 500 and status != 405:  # 405: no client does that
            self.refused(protocol, status, getattr(error, "cause", "") or document["detail"])

    def _write(self, protocol: str, status: int, count: int) -> None:
        reason = self._detail
        log.warning(
            "a client's request was refused", protocol=protocol, status=status, detail=reason, since_last_line=count
        )
