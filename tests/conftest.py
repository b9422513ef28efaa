"""What holds for all tests: laws may take the time that a busy machine gives them."""

from hypothesis import settings

settings.register_profile("headrace", deadline=None)
settings.load_profile("headrace")
