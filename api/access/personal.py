"""A value that is printed masked, whoever prints it."""

from typing import Any

from markupsafe import Markup, escape

from engine.project.personal import masked


class Personal:
    """Personal data in a page: its text and its HTML are masked unless it was made for a principal who may see it.

    A template prints it as any other value, and cannot reach the value itself.
    """

    __slots__ = ("__text",)

    def __init__(self, value: Any, *, shows: bool = False) -> None:
        self.__text = "" if value is None else str(value if shows else masked(value))

    def __str__(self) -> str:
        return self.__text

    def __html__(self) -> Markup:
        return escape(self.__text)

    def __repr__(self) -> str:
        return f"Personal({self.__text!r})"

    def __bool__(self) -> bool:
        return bool(self.__text)
