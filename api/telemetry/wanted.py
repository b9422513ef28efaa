"""Whether traces are wanted: as the standard variables of OpenTelemetry in the environment say."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.telemetry.telemetry import Telemetry

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
MISSING = "traces are asked for by OTEL_ variables, and the extra is missing: pip install 'headrace[otel]'"


class NotInstalled(Exception):
    """The libraries of the extra are not installed."""

    def __init__(self) -> None:
        super().__init__(MISSING)


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Return whether the environment asks for traces: by an address of OTLP, or by the exporter `otlp`."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").lower()
    return exporter == "otlp" or (not exporter and any(environ.get(name) for name in ENDPOINTS))


def telemetry_of(environ: Mapping[str, str]) -> "Telemetry | None":
    """Return what makes traces and sends them, if they are wanted. Raises `NotInstalled`."""
    if not is_wanted(environ):
        return None
    try:
        from api.telemetry.telemetry import exporting
    except ModuleNotFoundError as error:
        raise NotInstalled from error
    return exporting()
