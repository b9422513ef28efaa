"""The profiles that a run has read, and whether its sender may see them."""

from collections.abc import Iterator

from engine.flow.ask import ProfileReply, ProfilesReply
from engine.flow.effect import Merge
from engine.flow.machine import Machine
from engine.flow.run import Place
from engine.profile.document import Profile
from engine.profile.linking import all_own


def profiles_read(machine: Machine) -> Iterator[tuple[Place, Profile]]:
    """Yield the stored profiles that a run read, each with the place of the node that asked for it."""
    for place, reply in machine.replies:
        for found in reply.found if isinstance(reply, ProfilesReply) else (reply,):
            if isinstance(found, ProfileReply) and found.profile is not None:
                yield place, found.profile


def proves(machine: Machine, place: Place, profile: Profile) -> bool:
    """Return whether the node at `place` has joined `profile` by a proof, and it has no part of another profile.

    Of a node in a loop: whether the loop has.
    """
    settled = machine.settled.get(place if isinstance(place, int) else place[0])
    return any(
        effect.other is not None
        and effect.other.id == profile.id
        and effect.links[-1].kind == "proof"
        and all_own(profile, effect.links[0].left)
        for effect in (settled.effects if settled is not None else ())
        if isinstance(effect, Merge)
    )
