"""Refused requests in the log: clients that say nothing of a refusal are noticed on the server."""

from structlog.testing import capture_logs

from api.tracking.refused_requests import RefusedRequests


def test_each_protocol_and_status_has_lines_of_its_own() -> None:
    now = 0.0
    requests = RefusedRequests(lambda: now)
    with capture_logs() as lines:
        requests.refused("segment", 401, "unknown")
        requests.refused("segment", 401, "unknown")
        requests.refused("segment", 403, "origin")
        requests.refused("rakam", 401, "invalid")
        now = 10.0
        requests.refused("segment", 401, "missing")
    assert [(line["protocol"], line["status"], line["detail"], line["since_last_line"]) for line in lines] == [
        ("segment", 401, "unknown", 1),
        ("segment", 403, "origin", 1),
        ("rakam", 401, "invalid", 1),
        ("segment", 401, "missing", 2),
    ]
