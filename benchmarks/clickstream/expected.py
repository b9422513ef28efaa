"""The data that Headrace should store after the clickstream, computed from the rows alone.

Nothing here uses Headrace or reads the project's flows: it computes the same results a second time, in Python.
"""

from collections import Counter

from msgspec import Struct

from benchmarks.clickstream.clicks import Click, by_user

_KINDS = {
    "looking": {"home", "catalog", "search", "filter_results", "promo_page", "product_view"},
    "choosing": {"compare", "review_page", "wishlist_add"},
    "buying": {"add_to_cart", "cart", "shipping_details", "payment_details", "purchase"},
}
_TROUBLES = {"checkout_bug", "error_page", "payment_error"}


class Shopper(Struct, frozen=True):
    """One customer, as their profile should show them."""

    user: str
    traits: dict[str, object]
    segments: tuple[str, ...]
    sessions: dict[str, str]  # platform by session
    events: dict[str, str]  # type by event id


def shoppers(clicks: list[Click]) -> list[Shopper]:
    """All customers of the clickstream."""
    return [_shopper(own) for own in by_user(clicks)]


def _shopper(clicks: list[Click]) -> Shopper:
    types = Counter(click.type for click in clicks)
    purchases = types["purchase"]
    troubles = sum(types[kind] for kind in _TROUBLES)
    traits: dict[str, object] = {
        "channel": clicks[-1].channel,
        "platforms": tuple(sorted({click.platform for click in clicks})),
        "events": len(clicks),
        "interest": dict(Counter(_kind(click.type) for click in clicks)),
    }
    if purchases:
        traits["purchases"] = purchases
        traits["last_purchase"] = max(click.time for click in clicks if click.type == "purchase")
    if troubles:
        traits["troubles"] = troubles
    member = {
        "buyers": purchases >= 1,
        "loyal": purchases >= 3,
        "regulars": len(clicks) >= 60,
        "troubled": troubles > 0,
    }
    return Shopper(
        user=clicks[0].user,
        traits=traits,
        segments=tuple(name for name, holds in member.items() if holds),
        sessions={click.session: click.platform for click in clicks},
        events={click.id: click.type for click in clicks},
    )


def _kind(type: str) -> str:
    return next((kind for kind, types in _KINDS.items() if type in types), "other")
