"""Node types that send messages to other systems, after the unit of the event is committed."""
