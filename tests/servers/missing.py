"""The reasons why a real server cannot run here, and the remedies."""

import os


class Missing(Exception):
    """A server cannot run on this machine; the text says why and what to install."""


def required() -> bool:
    """Whether nothing may be left out: on CI, and where `HEADRACE_SERVERS=required` asks for it."""
    return bool(os.environ.get("CI")) or os.environ.get("HEADRACE_SERVERS") == "required"
