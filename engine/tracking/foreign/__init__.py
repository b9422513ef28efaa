"""Foreign protocols: pure translators from the requests of other systems' clients to events of ours."""
