"""The settings of the database of places."""

from msgspec import Struct


class Geo(Struct, frozen=True, kw_only=True):
    """The file of the database, and the language of its names."""

    database: str
    language: str = "en"
