"""For all tests: laws may take the time that a busy machine gives them; in CI they try the same cases again."""

import os

from hypothesis import settings

settings.register_profile("headrace", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("headrace")

pytest_plugins = ["tests.servers.elasticsearch"]
