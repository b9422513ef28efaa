"""Settling a future that a caller may wait for: a caller that was cancelled meanwhile has settled it already."""

import asyncio
from typing import Any


def settle(future: "asyncio.Future[Any]", result: Any, failure: BaseException | None) -> None:
    """Hand a result or a failure to the caller that waits, unless it has gone."""
    if future.done():
        return
    if failure is None:
        future.set_result(result)
    else:
        future.set_exception(failure)
