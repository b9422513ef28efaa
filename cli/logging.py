"""Logs: one JSON object per line, so that no text of an event can forge a line."""

import logging
from typing import TextIO

import structlog

from api.request_id import request_id

_CLOSED = "the handler is closed"  # what uvloop says of a connection that is not there any more


def configure_logging(out: TextIO, **fields: object) -> None:
    """Write the program's logs, and warnings and errors of the libraries, as JSON lines to `out`.

    Every line has `fields` as well, and the id of the request under way, if it belongs to one.
    """

    def add_fields(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        request = request_id()
        return {**line, **fields} if request is None else {**line, **fields, "request": request}

    shared: list[structlog.typing.Processor] = [
        add_fields,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=structlog.processors.JSONRenderer(), foreign_pre_chain=shared)
    )
    handler.addFilter(is_worth_a_line)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def is_worth_a_line(record: logging.LogRecord) -> bool:
    """Return whether a line of a library is logged.

    One is not: if a client resets its connection while the server writes to it, uvicorn logs a traceback as for a bug.
    A client could fill the log with them.
    """
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, RuntimeError) and _CLOSED in str(error) and record.name == "uvicorn.error")
