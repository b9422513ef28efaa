"""Every client through 503, 429, dropped connections and a kill: each event is stored, and takes effect, once."""

from collections import Counter

import pytest

from tests.clients.client import CLIENTS, WITH_IDS, Client, by_name
from tests.clients.conftest import Begin, named
from tests.clients.samples import numbered
from tests.clients.trial import Trial

LEARNING = [client for client in CLIENTS if client.learns and client.name != "posthog-python-gzip"]
OF_EACH_FAMILY = [by_name(name) for name in ("segment-python", "posthog-python", "rakam-python", "traintracks-page")]


async def check_each_once(trial: Trial) -> None:
    """Have requests fail while a client sends events with numbers, and check that each of them counts once."""
    trial.let_fail()
    calls = numbered(trial.client, trial.source)
    await trial.send(calls)
    events = trial.events()
    assert Counter(event.properties["n"] for event in events) == Counter(range(len(calls)))
    assert trial.counted(events) == len(calls)
    if trial.client.protocol in WITH_IDS:
        assert {event.id for event in events} == trial.proxy.sent


@pytest.mark.parametrize("client", LEARNING, ids=named)
async def test_each_event_counts_once_whatever_fails_on_its_way(begin: Begin, client: Client) -> None:
    await check_each_once(await begin(client, "numbers"))


@pytest.mark.timeout(300)  # starting an Elasticsearch is part of the first test
@pytest.mark.parametrize("begin", ["elasticsearch_server"], indirect=True)
@pytest.mark.parametrize("client", OF_EACH_FAMILY, ids=named)
async def test_each_event_counts_once_on_elasticsearch_with_two_workers(begin: Begin, client: Client) -> None:
    await check_each_once(await begin(client, "numbers"))
