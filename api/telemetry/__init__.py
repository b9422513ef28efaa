"""Telemetry: traces of requests, units, runs, look-ups and commits, by OpenTelemetry. Off, nothing is imported."""
