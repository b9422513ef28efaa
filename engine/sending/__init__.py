"""Sending deliveries to their targets: the queue of each, in order, with limits, a breaker and retries."""
