"""Live: events and runs as they are stored, as a stream of server-sent events."""
