"""Tracking: sources, events, sessions, intake, the unit of work; `tracker` is the engine's one async file."""
