"""Metrics: the numbers of the server and of its store, in the text format of Prometheus."""
