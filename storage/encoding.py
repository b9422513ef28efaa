"""How stored values become JSON and come back: one encoder, and one decoder for each kind of document."""

import msgspec

from engine.ports.records import CacheEntry, Rejected, RunRecord, Session, StoredEvent, Unit
from engine.profile.document import Profile

encode = msgspec.json.Encoder().encode

decode_profile = msgspec.json.Decoder(Profile).decode
decode_session = msgspec.json.Decoder(Session).decode
decode_event = msgspec.json.Decoder(StoredEvent).decode
decode_run = msgspec.json.Decoder(RunRecord).decode
decode_rejected = msgspec.json.Decoder(Rejected).decode
decode_cached = msgspec.json.Decoder(CacheEntry).decode


def check_versions(unit: Unit) -> None:
    """Refuse a unit whose writes would not move their documents' versions: compare-and-set could not tell them apart.

    Raises `ValueError`: it is the caller's mistake, running the unit again would not help.
    """
    for write in unit.profiles:
        if write.profile.version <= write.expected:
            raise ValueError(
                f"profile {write.profile.id}: version {write.profile.version} is not newer than {write.expected}"
            )
    for change in unit.sessions:
        session = change.session
        if session.version <= change.expected:
            raise ValueError(f"session {session.id}: version {session.version} is not newer than {change.expected}")
