"""From bytes to events: decoding, validation, credentials."""
