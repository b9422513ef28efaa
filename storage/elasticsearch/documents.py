"""The documents in the indices: a Struct for each. Beside the fields that are searched, a document holds the exact
record as one text (`doc`), which is not mapped: floats, key order and odd keys come back unchanged.

A document that commits a unit carries, as `pending`, all other writes of the unit (`pending_writes.PendingUnit`,
encoded), until those documents are known to exist; `unfinished` is the time (µs) of the oldest entry.
"""

import time
from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType, json

from engine.ports.records import IdentityKey, ProcessedEvent, Session
from engine.profile.document import Profile
from storage.elasticsearch.searchable import searchable
from storage.encoding import encode

RECENT = 16  # units that a document remembers to have committed
Position = tuple[int, int]  # of a profile's document: its version, and how often it was rewritten at that version


class ProfileSource(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A profile, or the tombstone of one; or at version 0 no profile yet, only a carrier of pending writes.

    A tombstone is `open` until a commit with the profile that it leads to has decided about the profile that is
    `frozen` here. `rewrites` counts how often the store has rewritten the document at its version.
    """

    id: str
    version: int
    rewrites: int = 0
    doc: str | None = None
    live: bool = False
    merged_into: str | None = None
    open: bool = False
    frozen: str | None = None
    by: str | None = None  # the unit that has frozen the profile
    pending: list[str] = []
    recent: list[str] = []
    unfinished: int | None = None
    due: int | None = None
    # searched
    ids: list[str] = []
    created: int | None = None
    updated: int | None = None
    segments: Raw | UnsetType = UNSET
    traits: Raw | UnsetType = UNSET
    pii: Raw | UnsetType = UNSET
    consents: Raw | UnsetType = UNSET

    @property
    def position(self) -> "Position":
        """The position, which every write raises that changes what is found under the id."""
        return self.version, self.rewrites

    @property
    def living(self) -> bool:
        """Whether it is a profile."""
        return self.merged_into is None and self.doc is not None


class SessionSource(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A session. At version 0 it is a claim: it names the profile of the session, of which nothing is committed."""

    source: str
    id: str
    version: int
    doc: str
    profile: str | None = None
    created: int = 0
    pending: list[str] = []
    recent: list[str] = []
    unfinished: int | None = None
    properties: Raw | UnsetType = UNSET
    context: Raw | UnsetType = UNSET


class MarkSource(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A deduplication mark, a claim of one (`on`: the profile document that is to commit it), or neither: a document
    that commits a unit without marks."""

    at: int | None = None
    profile: str | None = None  # searched, as are the next two; of a claim it is the one that `on` names
    source: str | None = None
    session: str | None = None
    doc: str | None = None
    on: str | None = None
    by: str | None = None
    pending: list[str] = []
    unfinished: int | None = None


class KeySource(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A merge key. `user` is that of its holder (`IdentityKey.user`), whose profile may not be written yet."""

    key: str
    id: str
    user: str = ""


class RecordSource(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The fields of a versioned record's document that the store itself reads; the others are there to be searched.

    `on` and `by` are a claim: the document (index and name, see `Fence`) that is to commit the next change, and the
    commit's token. `gone` is the time (ms) since when the record is deleted: such a document has neither a version nor
    a text, and stays until deduplication marks of that time are forgotten, so that no late create brings it back.
    """

    version: int = 0
    doc: str | None = None
    gone: int | None = None
    on: tuple[str, str] | None = None
    by: str | None = None
    pending: list[str] = []
    recent: list[str] = []
    unfinished: int | None = None


class MetaSource(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A document of the store itself: its secret, the time (ms) up to which marks are forgotten, flows, notes."""

    kind: str
    text: str | None = None
    number: int | None = None


class Doc(Struct, frozen=True):
    """The exact record of any document."""

    doc: str


decode_profile_source = json.Decoder(ProfileSource).decode
decode_session_source = json.Decoder(SessionSource).decode
decode_mark_source = json.Decoder(MarkSource).decode
decode_key_source = json.Decoder(KeySource).decode
decode_meta_source = json.Decoder(MetaSource).decode
decode_record_source = json.Decoder(RecordSource).decode
decode_mark = json.Decoder(ProcessedEvent).decode
decode_doc = json.Decoder(Doc).decode


def gone_source(pending: list[str], recent: list[str], unfinished: int | None) -> bytes:
    """The document of a versioned record that has just been deleted, encoded."""
    gone = time.time_ns() // 1_000_000
    return encode(RecordSource(gone=gone, pending=pending, recent=recent, unfinished=unfinished))


def amended(source: Raw, **fields: Any) -> bytes:
    """A stored document with other values for some of its fields; None takes a field away."""
    document: dict[str, Any] = json.decode(source)
    document.update(fields)
    return encode({name: value for name, value in document.items() if value is not None})


def text_of(record: Struct) -> str:
    """The exact text of a record."""
    return encode(record).decode()


def profile_source(
    profile: Profile,
    shown: dict[str, Any] | None,
    pending: list[str],
    recent: list[str],
    unfinished: int | None,
    rewrites: int = 0,
) -> bytes:
    """A profile's document, encoded."""
    fields: dict[str, Any] = {}
    if shown is not None:
        times = shown.get("metadata", {})
        fields = {root: searchable(shown[root]) for root in ("traits", "pii", "consents") if shown.get(root)}
        if shown.get("segments"):
            fields["segments"] = Raw(encode(shown["segments"]))
        fields["updated"] = times.get("updated")
    return encode(
        ProfileSource(
            id=profile.id,
            version=profile.version,
            rewrites=rewrites,
            doc=text_of(profile),
            live=profile.merged_into is None,
            merged_into=profile.merged_into,
            pending=pending,
            recent=recent,
            unfinished=unfinished,
            due=profile.due if profile.merged_into is None else None,
            ids=list(profile.ids) if profile.merged_into is None else [],
            created=profile.created,
            **fields,
        )
    )


def session_source(
    session: Session, pending: list[str] | None = None, recent: list[str] | None = None, unfinished: int | None = None
) -> bytes:
    """A session's document, encoded."""
    return encode(
        SessionSource(
            source=session.source,
            id=session.id,
            version=session.version,
            doc=text_of(session),
            profile=session.profile,
            created=session.created,
            pending=pending or [],
            recent=recent or [],
            unfinished=unfinished,
            properties=searchable(session.properties) if session.properties else UNSET,
            context=searchable(session.context) if session.context else UNSET,
        )
    )


def mark_source(mark: ProcessedEvent) -> bytes:
    """A mark's document, encoded."""
    return encode(
        MarkSource(at=mark.at, profile=mark.profile, source=mark.source, session=mark.session, doc=text_of(mark))
    )


def key_source(key: IdentityKey) -> bytes:
    """A key's document, encoded."""
    return encode(KeySource(key=key.key, id=key.id, user=key.user))
