"""The archive of a profile: a ZIP file with everything that is stored of it, for humans and programs."""

from collections.abc import Collection
from typing import IO, Any, Final
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import msgspec
from msgspec import Struct

from api.serialize import serialize_record
from engine.ports.store import Store
from engine.profile.declared import Fields
from engine.profile.document import Profile
from engine.profile.key_name import key_name
from engine.profile.merge_history import explain_identity
from engine.profile.operator_view import operator_view
from engine.project.project import Project
from engine.tracking.operations.export import export, exported_kinds

KINDS: Final = ("sessions", *[kind.name for kind in exported_kinds()])  # each has a file, in this order
ABOUT: Final = "about.json"
OTHER: Final = "another profile"


class NoArchive(Exception):
    """The file is no archive."""


class _About(Struct, frozen=True):
    documents: dict[str, int]


async def write_archive(file: IO[bytes], store: Store, project: Project, id: str, now: int) -> None:
    """Write the archive of the profile that `id` leads to.

    `profile.json` is the profile with its parts and the links between them; the other files have one document per line,
    and `about.json` counts the documents of each. Raises `NotFound` if no profile has the id, before anything is
    written, and `Unavailable`.
    """
    records = export(store, id)
    _, profile = await anext(records)
    assert isinstance(profile, Profile)  # noqa: S101
    fields = project.settings.fields
    counts = dict.fromkeys(KINDS, 0)
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        archive.writestr("profile.json", _indented(operator_view(profile, fields, id) | {"why": _why(profile, fields)}))
        following = await anext(records, None)
        for kind in KINDS:
            with archive.open(_file(kind), "w", force_zip64=True) as member:
                while following is not None and following[0] == kind:
                    member.write(msgspec.json.encode(serialize_record(following[1], fields)) + b"\n")
                    counts[kind] += 1
                    following = await anext(records, None)
        assert following is None, following  # noqa: S101 - a kind that has no file, or comes out of order
        about = {"profile": profile.id, "exported": now, "documents": {"profile.json": 1, **_named(counts)}}
        archive.writestr(ABOUT, _indented(about))


def documents_in(file: IO[bytes]) -> dict[str, int]:
    """Return how many documents each file of an archive has. Raises `NoArchive`."""
    try:
        with ZipFile(file) as archive:
            return _about(archive.read(ABOUT)).documents
    except (BadZipFile, KeyError, msgspec.MsgspecError) as error:
        raise NoArchive from error


def _why(profile: Profile, fields: Fields) -> Any:
    """Return the links with the undone ones, without the ids of unmerged profiles, which work like keys."""
    named: set[str] = set()
    for link in profile.links.values():
        reason = link.why
        named |= (
            {link.left}
            | ({link.right} if key_name(link.right) is None else set())
            | ({reason.acting, reason.won} if reason else set())
        )
        for side in (reason.left, reason.right) if reason else ():
            named.update(side.ids if side else ())
    return _without(explain_identity(profile, fields), named.difference(profile.ids))


def _without(document: Any, ids: Collection[str]) -> Any:
    match document:
        case str():
            return OTHER if document in ids else document
        case dict():
            return {name: _without(below, ids) for name, below in document.items()}
        case list():
            return [_without(each, ids) for each in document]
    return document


def _named(counts: dict[str, int]) -> dict[str, int]:
    return {_file(kind): count for kind, count in counts.items()}


def _file(kind: str) -> str:
    return f"{kind}.jsonl"


def _indented(document: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


_about = msgspec.json.Decoder(_About).decode
