"""Visits: the times at which events of a profile came in, and how many visits they make up.

Each part keeps the time of its last event, the time at which the visit before ended, and its number of visits; a part
is written with every unit anyway. The visits of several parts add up.
"""

from msgspec import structs

from engine.profile.document import Profile


def record_visit(profile: Profile, id: str, now: int, new: bool) -> Profile:
    """Return the profile after an event under `id` at `now` (ms); `new` says that the event starts a visit."""
    part = profile.parts.get(id)
    if part is None:
        return profile
    last, previous, count = part.visit_times
    times = (max(last, now), last, count + 1) if new else (max(last, now), previous, count)
    return structs.replace(profile, parts={**profile.parts, id: structs.replace(part, visit_times=times)})


def begun_by(profile: Profile, id: str, occurred: int) -> Profile:
    """Return the profile after an event under `id` that occurred then (ms): it is first seen then, if not before."""
    part = profile.parts.get(id)
    if part is None or occurred >= (part.earliest or part.created):
        return profile
    return structs.replace(profile, parts={**profile.parts, id: structs.replace(part, earliest=occurred)})


def visits(profile: Profile) -> dict[str, int]:
    """Return `visits` and `first_seen` and, where known, `last_seen` and `previous_seen` (an earlier visit), in ms."""
    parts = profile.parts.values()
    if len(profile.parts) == 1:
        (part,) = parts
        last, previous, count = part.visit_times
        view = {"first_seen": part.earliest or part.created, "visits": count}
    else:
        view = {
            "first_seen": min([part.earliest or part.created for part in parts], default=profile.created),
            "visits": sum([part.visit_times[2] for part in parts]),
        }
        last, previous, _ = max([part.visit_times for part in parts], default=(0, 0, 0))
        previous = max([previous, *(part.visit_times[0] for part in parts if part.visit_times[0] < last)])
    if last:
        view["last_seen"] = last
    if previous:
        view["previous_seen"] = previous
    return view
