"""Flow tests of nodes that read what only a server has: the database of places, and hash keys."""

from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from cli.testing.given_places import GivenPlaces

FILES = {
    "headrace.yaml": "name: shop\nhash_keys: {partner: '${env:PARTNER_KEY}'}\ngeo: {database: City.mmdb}\n",
    "sources/website.yaml": "source: website\n",
    "flows/origin.yaml": """\
flow: place
trigger: {event: seen}
nodes:
  place:
    geo.lookup: "{{ event.context.ip }}"
    next: {found: answer}
  answer:
    respond:
      country: "{{ nodes.place.out.country }}"
      same: "{{ ('ann' | hmac('partner')) == ('ann' | hmac('partner')) }}"
""",
    "flows/origin.test.yaml": """\
flow: place
source: website
cases:
  - name: a known address
    given: {places: {192.0.2.1: {country: DE}}}
    event: {type: seen, context: {ip: 192.0.2.1}}
    expect: {response: {country: DE, same: true}}
  - name: an unknown address
    event: {type: seen, context: {ip: 192.0.2.1}}
    expect: {ports: {place: missing}}
""",
}


def test_a_case_says_what_is_known_of_an_address_and_needs_no_secret(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    played = CliRunner().invoke(app, ["test", str(tmp_path)])
    assert "✓ 2 passed" in played.output, played.output


def test_an_address_that_the_case_does_not_name_has_no_place() -> None:
    assert GivenPlaces({"192.0.2.1": {"country": "DE"}}).place("192.0.2.2") is None
