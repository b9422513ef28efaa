"""The stored state, as it is compared with the model."""

from collections.abc import Mapping
from typing import NamedTuple

from engine.ports.records import IdentityKey
from engine.profile.document import Link, Profile
from engine.profile.fold import fold
from tests.identity.flows import PATHS
from tests.identity.model import Fact, Model
from tests.identity.model import Link as ModelLink


class Snapshot(NamedTuple):
    """The stored state: the profile of each id, the holder of each key, and the ids without a profile with events."""

    people: dict[str, Profile | None]
    keys: dict[str, IdentityKey | None]
    late: frozenset[str]


def differences(model: Model, seen: Snapshot, names: Mapping[str, str]) -> list[str]:
    """Return the differences of the stored state from the model, in words.

    `names` are those of keys in the model, by their names in stored links.
    """
    error: list[str] = []
    for name, key in seen.keys.items():
        holders = {fact.left for fact, link in model.links.items() if fact.right == name and link.holds}
        if holders and (key is None or key.id not in holders):
            error.append(f"the key {name} is {key}, not of one of {holders}")
    error += [f"{id} is still known" for id in model.forgotten if seen.people.get(id) or id in seen.late]
    for id in model.counts:
        profile = seen.people.get(id)
        error += [f"no profile has the id {id}"] if profile is None else _differs(model, id, profile, names)
    return error


def _state(link: Link | ModelLink) -> str:
    """How a link stands. One that has ceased may be undone in one of two profiles only."""
    return "ceased" if link.ceased else "undone" if link.undone else "holds"


def _differs(model: Model, id: str, profile: Profile, names: Mapping[str, str]) -> list[str]:
    together = model.group(id)
    error = []
    if frozenset(profile.ids) != together:
        error.append(f"{id} is {sorted(profile.ids)}, not {sorted(together)}")
    expected = {
        fact: _state(link) for fact, link in model.links.items() if link.kept and not together.isdisjoint(fact[:2])
    }
    kept = {
        Fact(link.left, names.get(link.right, link.right), link.kind): _state(link) for link in profile.links.values()
    }
    if kept != expected:
        apart = [sorted(some.items() - others.items()) for some, others in ((kept, expected), (expected, kept))]
        error.append(f"the links of {id} are {apart[0]}, not {apart[1]}")
    tree = fold(profile)
    counted = tree.get("traits", {}).get("count", 0)
    if counted != model.count(id) / 10:
        error.append(f"{id} counts {counted}, not {model.count(id)} tenths")
    for path in ("traits.name", *PATHS.values()):
        root, leaf = path.split(".")
        shows, said = tree.get(root, {}).get(leaf), model.shown(id, path)
        if (shows is None) is bool(said) or (shows is not None and shows not in said):
            error.append(f"{id} shows {shows} at {path}, not one of {sorted(said)}")
    return error
