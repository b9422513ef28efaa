"""The operations of the tracking routes as data: one module for each protocol, beside the one with its handlers."""
