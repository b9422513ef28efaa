"""Spools: where payloads wait on this machine while the store is away. One file a process, none shared."""
