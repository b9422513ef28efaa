"""The servers of the tests are what the tests take them for."""

import json
import urllib.request
from typing import Any

from tests.servers.elasticsearch import Cluster


def ask(url: str, method: str = "GET", body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def versions(url: str) -> list[str]:
    return [node["version"] for node in ask(f"{url}/_nodes")["nodes"].values()]


def test_the_server_is_of_the_ninth_series(elasticsearch_url: str) -> None:
    assert [version.split(".")[0] for version in versions(elasticsearch_url)] == ["9"]


def test_the_older_server_is_of_the_eighth_series(elasticsearch_8_url: str) -> None:
    assert [version.split(".")[0] for version in versions(elasticsearch_8_url)] == ["8"]


def test_a_cluster_survives_the_kill_of_a_node(elasticsearch_cluster: Cluster) -> None:
    first, second, _ = elasticsearch_cluster.urls
    ask(f"{second}/kept", "PUT", {"settings": {"number_of_shards": 3, "number_of_replicas": 1}})
    elasticsearch_cluster.wait()
    ask(f"{second}/kept/_doc/one", "PUT", {"field": 1})

    elasticsearch_cluster.kill(0)
    elasticsearch_cluster.wait(status="yellow", nodes=2)
    assert ask(f"{second}/_cluster/health")["status"] == "yellow"
    assert ask(f"{second}/kept/_doc/one")["_source"] == {"field": 1}

    elasticsearch_cluster.start(0)
    elasticsearch_cluster.wait()
    assert ask(f"{first}/_cluster/health")["status"] == "green"
    assert ask(f"{first}/kept/_doc/one")["_source"] == {"field": 1}
