"""Logs: one JSON object a line, so that nothing in an event can forge a line."""

import logging
from typing import TextIO

import structlog


def configure_logging(out: TextIO, **always: object) -> None:
    """Write the program's logs, and those of the libraries from warnings up, as JSON lines to `out`.

    What `always` names is in every line.
    """

    def add(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {**line, **always}

    shared: list[structlog.typing.Processor] = [
        add,
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
