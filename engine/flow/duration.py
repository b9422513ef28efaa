"""Durations in flows: those of the language."""

from engine.language.duration import UNITS, read_duration, show_duration

__all__ = ["UNITS", "read_duration", "show_duration"]
