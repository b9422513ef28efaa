"""Settle a future that a caller may await; if the caller was cancelled meanwhile, the future is settled already."""

import asyncio
from typing import Any


def settle(future: "asyncio.Future[Any]", result: Any, failure: BaseException | None) -> None:
    """Set the result or the failure of a future, unless its caller was cancelled."""
    if future.done():
        return
    if failure is None:
        future.set_result(result)
    else:
        future.set_exception(failure)
