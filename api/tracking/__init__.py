"""Tracking over HTTP: `/track` and `/collect`. Foreign protocols are translators beside them."""
