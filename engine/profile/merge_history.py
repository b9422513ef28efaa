"""The merge history of a profile as a document: its parts, and its links to keys and other ids."""

from typing import Any

from engine.profile.declared import Fields
from engine.profile.digest import digest
from engine.profile.document import Link, Profile, Side
from engine.profile.key_name import key_name


def explain_identity(profile: Profile, fields: Fields | None = None) -> dict[str, Any]:
    """Return a profile's parts and its links, undone ones included, with links in the order in which they were made.

    `digest` is equal for two profiles that show the same and are joined by the same links.
    """
    links = sorted(profile.links.values(), key=lambda link: (link.why.at if link.why else 0, link.id))
    return {
        "digest": digest(profile, fields),
        "parts": [
            {"id": part.id, "created": part.created, "updated": part.last, **({"mixed": True} if part.mixed else {})}
            for part in sorted(profile.parts.values(), key=lambda part: (part.id != profile.id, part.created, part.id))
        ],
        "links": [describe_link(link) for link in links],
    }


def describe_link(link: Link) -> dict[str, Any]:
    """Return a link as a document; members without a value are left out. Times are ms.

    `left` is an id. `right` is a key, and `key` is its path; or `right` is another id.
    """
    key = key_name(link.right)
    document: dict[str, Any] = {
        "link": link.id,
        "left": link.left,
        "right": link.right,
        **({"key": key.path} if key is not None else {}),
        "by": link.kind,
        "state": "undone" if link.undone else "ceased" if link.ceased else "holds",
    }
    if link.alias:
        document["alias"] = True
    if link.undone:
        document["undone"] = link.undone
    if link.ceased:
        document |= {"ceased": link.ceased, "ceased_by": link.ceased_by}
    if link.why is None:
        return document
    origin = link.why
    for name in ("at", "event", "type", "flow", "node", "acting", "won"):
        document[name] = getattr(origin, name)
    if origin.left is not None and origin.right is not None:
        document["held"] = {"left": _side(origin.left), "right": _side(origin.right)}
    if origin.clashes:
        document["clashes"] = [
            {
                "path": clash.path,
                "shown": clash.shown,
                **({"left": clash.left, "right": clash.right} if clash.left is not None else {}),
            }
            for clash in origin.clashes
        ]
    if origin.more:
        document["more_clashes"] = origin.more
    return document


def _side(side: Side) -> dict[str, Any]:
    return {"ids": list(side.ids), **({"more": side.more} if side.more else {})}
