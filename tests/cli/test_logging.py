"""Which lines of the libraries are logged."""

import asyncio
import logging
import sys

import pytest
import uvloop

from cli.logging import is_worth_a_line


async def write_to_closed_connection() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.transport.abort()
        await writer.wait_closed()
        writer.transport.write(b"an answer")


def record_of(error: BaseException) -> logging.LogRecord:
    try:
        raise error
    except type(error):
        return logging.LogRecord("uvicorn.error", logging.ERROR, "x.py", 1, "a request failed", (), sys.exc_info())


def test_a_write_to_a_connection_that_its_client_has_reset_is_not_logged() -> None:
    with pytest.raises(RuntimeError) as caught, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(write_to_closed_connection())
    assert not is_worth_a_line(record_of(caught.value))


@pytest.mark.parametrize("error", [RuntimeError("Invalid HTTP header value."), ValueError("the handler is closed")])
def test_any_other_error_of_a_request_is_logged(error: Exception) -> None:
    assert is_worth_a_line(record_of(error))
