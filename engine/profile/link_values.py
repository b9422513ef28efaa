"""The values that a link's origin keeps of its two sides, and when they are deleted."""

from collections.abc import Collection

from msgspec import structs

from engine.profile.document import Clash, Link, LinkOrigin


def without_values(link: Link) -> LinkOrigin | None:
    """Return the origin of a link without the values of either side; the paths of its clashes stay."""
    origin = link.why
    if origin is None or not origin.clashes:
        return origin
    return structs.replace(origin, clashes=tuple([Clash(clash.path, clash.shown) for clash in origin.clashes]))


def visible_to(link: Link, ids: Collection[str]) -> Link:
    """Return a link as a profile of `ids` may keep it: without values that belong to other ids."""
    origin = link.why
    if origin is None or not origin.clashes:
        return link
    sides = (origin.left, origin.right)
    all_own = all(side is not None and not side.more and set(ids).issuperset(side.ids) for side in sides)
    return link if all_own else structs.replace(link, why=without_values(link))
