"""Scheduled flows: each due time is fired once, by one process, and its task keeps what the next one needs."""
