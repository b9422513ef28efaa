"""Pages as tests read them: their elements and their text, and the hostile text that must stay text."""

from html.parser import HTMLParser
from typing import Any, Final

IMAGE: Final = "<img src=x onerror=alert(1)>"
BREAKS_OUT: Final = "\"'></script></svg><script>alert(1)</script>"
TURNED: Final = "\u202eevil\u2066"
CONTROLS: Final = "a\x00b\x07c\x1b[31m"
INLINE: Final = frozenset({"a", "b", "bdi", "code", "i", "kbd", "rp", "rt", "ruby", "span", "time"})
HOSTILE: Final = f"{IMAGE}{BREAKS_OUT}{TURNED}\x07\x1b[31m"


class Parsed(HTMLParser):
    """The elements of a page, and its text outside of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        self.pieces.append("" if tag in INLINE else " ")

    def handle_endtag(self, tag: str) -> None:
        """End an element."""
        self.pieces.append("" if tag in INLINE else " ")

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.pieces.append(data)

    @property
    def text(self) -> str:
        """All text of the page, with single spaces."""
        return " ".join("".join(self.pieces).split())

    def links(self) -> list[str]:
        """Return where its links lead."""
        return [str(attrs["href"]) for tag, attrs in self.elements if tag == "a" and "href" in attrs]


def read(answer: Any, status: int = 200) -> Parsed:
    """Return a page of the console that holds no element but its own."""
    assert answer.status_code == status, answer.text[:800]
    assert answer.headers["content-type"].startswith("text/html")
    page = Parsed(answer.text)
    check(page)
    assert not set("\x00\x07\x1b") & set(answer.text)
    return page


def check(page: Parsed) -> None:
    """Assert that a page has no element and no attribute that its templates do not have."""
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"img", "iframe", "object", "embed", "base", "style"}, tags
    scripts = [attrs for tag, attrs in page.elements if tag == "script"]
    assert all((attrs.get("src") or "").startswith("/console/static/") for attrs in scripts)
    for tag, attrs in page.elements:
        assert not [name for name in attrs if name.startswith("on") or name == "style"], (tag, attrs)
        assert not (attrs.get("href") or "").lower().startswith(("javascript:", "data:text")), (tag, attrs)
