"""The addresses of the description, and the command that prints it."""

import json

from typer.testing import CliRunner

from cli.main import app
from tests.api.conftest import Serve
from tests.projects import project


async def test_the_command_prints_the_document_that_a_server_answers(serve: Serve) -> None:
    printed = CliRunner().invoke(app, ["openapi"])
    assert printed.exit_code == 0
    answer = await (await serve(project(), stranger=True)).get("/schema/openapi.json")
    assert answer.headers["content-type"] == "application/vnd.oai.openapi+json"
    assert json.loads(printed.stdout) == answer.json()


async def test_the_document_is_made_once(serve: Serve) -> None:
    client = await serve(project(), stranger=True)
    assert (await client.get("/schema/openapi.json")).content == (await client.get("/schema/openapi.json")).content
    assert (await client.get("/schema")).content == (await client.get("/schema")).content
