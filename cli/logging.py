"""Logs: one JSON object per line, so that no text of an event can forge a line."""

import logging
from typing import TextIO

import structlog


def configure_logging(out: TextIO, **fields: object) -> None:
    """Write the program's logs, and warnings and errors of the libraries, as JSON lines to `out`.

    Every line has `fields` as well.
    """

    def add_fields(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {**line, **fields}

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
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
