"""`verify:` of a webhook: how its requests are signed, and by which secrets."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

from msgspec import Meta, Struct, structs

from engine.language.path import parse_path
from engine.problem import KeyPath, Problem, ProblemError, did_you_mean
from engine.project.signature_check import (
    CHECKS,
    SCHEMES,
    WITHIN_MS,
    BadSecret,
    Encoding,
    Hash,
    Scheme,
    SignatureCheck,
    SignatureForm,
    signing_key,
)
from engine.project.signed_text import BadSignedText, SignedPart, signed_parts
from engine.project.source import EventIdPlace
from flows.duration import duration_ms
from flows.secret import is_made_up
from flows.typed import read_struct

WHAT: Final = "the check of a signature"
LONGEST_MS: Final = 7 * 86_400_000

_OF_ANY: Final = ("scheme", "within")
_PLACES: Final = "write `{{ body }}`, `{{ timestamp }}` or `{{ headers['x-name'] }}`"


class WrittenCheck(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`verify:` as a map. All but `scheme` and `within` are of `scheme: hmac`."""

    scheme: Annotated[Scheme, Meta(description="stripe, github, shopify, mailgun, standard, svix, slack, twilio, hmac")]
    within: Annotated[str | None, Meta(description="How old a signature may be, e.g. 5m")] = None
    header: Annotated[str | None, Meta(description="The header with the signature, e.g. X-Signature")] = None
    prefix: Annotated[str, Meta(description="What stands in the header before the signature, e.g. sha256=")] = ""
    signed: Annotated[str, Meta(description='What is signed, e.g. "{{ timestamp }}.{{ body }}"')] = "{{ body }}"
    encoding: Annotated[Encoding, Meta(description="hex or base64")] = "hex"
    hash: Annotated[Hash, Meta(description="sha1, sha256 or sha512")] = "sha256"
    timestamp: Annotated[str | None, Meta(description="The header with the time at which it was signed")] = None
    id: Annotated[
        EventIdPlace | None,
        Meta(description="What names a delivery, as a map: {header: X-Delivery-Id} or {path: data.id}"),
    ] = None


def read_signature_check(data: Any, path: KeyPath, public_url: str = "") -> tuple[SignatureCheck | None, list[Problem]]:
    """Return the check in `data`, a scheme's name or a map, or None with its problems. `path` is its place.

    `public_url` is the address of the server in `headrace.yaml`; empty if there is none.
    """
    written, problems = read_struct(WrittenCheck, {"scheme": data} if isinstance(data, str) else data, WHAT)
    if isinstance(data, str) and problems:
        return None, [_unknown_scheme(data, path)]
    if written is None:
        return None, [problem.below(path) for problem in problems]
    if written.scheme == "hmac":
        check = _check_of_form(written, problems)
    else:
        check = _check_by_name(written, data if isinstance(data, Mapping) else {}, problems)
    if check.scheme == "twilio" and not public_url:
        message = "Twilio signs the address that it calls, and the project does not say which one that is"
        help = "add `public_url: https://events.shop.example` to headrace.yaml"
        problems.append(Problem(code="H403", message=message, help=help))
    check = structs.replace(check, public_url=public_url)
    return (None if problems else check), [problem.below(path) for problem in problems]


def secret_problems(check: SignatureCheck, secrets: Sequence[str], path: KeyPath) -> Iterator[Problem]:
    """The problems of resolved secrets. Messages do not repeat them, and those that tests make up have none."""
    for secret in secrets:
        if is_made_up(secret):
            continue
        try:
            signing_key(check, secret)
        except BadSecret as error:
            help = "copy it from where the sender shows it"
            yield Problem(code="H404", message=str(error), path=path, help=help)


def _unknown_scheme(name: str, path: KeyPath) -> Problem:
    known = ", ".join(SCHEMES)
    help = did_you_mean(name, SCHEMES) or f"write one of {known}; of others describe the header by `scheme: hmac`"
    if name == "hmac":
        help = "write a map: `verify: {scheme: hmac, header: X-Signature}`"
    return Problem(code="H404", message=f"`{name}` alone is no scheme of signatures", path=path, help=help)


def _check_by_name(written: WrittenCheck, data: Mapping[str, Any], problems: list[Problem]) -> SignatureCheck:
    check = CHECKS[written.scheme]
    for key in data:
        if key not in _OF_ANY:
            message = f"`{key}` is part of the scheme `{written.scheme}` already"
            help = "drop it; another form of signature is described by `scheme: hmac`"
            problems.append(Problem(code="H402", message=message, path=(key,), on="key", help=help))
    if written.within is not None and check.within_ms is None:
        message = f"signatures of `{written.scheme}` have no time"
        problems.append(Problem(code="H404", message=message, path=("within",), on="key", help="drop `within`"))
    within = _within(written, problems)
    return check if within is None else structs.replace(check, within_ms=within)


def _check_of_form(written: WrittenCheck, problems: list[Problem]) -> SignatureCheck:
    if not written.header:
        help = "add `header: X-Signature`, the header with the signature"
        problems.append(Problem(code="H403", message="`scheme: hmac` needs `header`", on="key", help=help))
    signed = _signed(written.signed, problems)
    kinds = {part.kind for part in signed}
    if signed and "body" not in kinds:
        message, help = "the signature says nothing about the body", "add `{{ body }}` to `signed`"
        problems.append(Problem(code="H404", message=message, path=("signed",), help=help))
    problems += _time_problems(written, "timestamp" in kinds)
    problems += _id_problems(written.id)
    within = _within(written, problems)
    form = SignatureForm(
        header=(written.header or "").lower(),
        prefix=written.prefix,
        signed=signed,
        encoding=written.encoding,
        hash=written.hash,
        timestamp=written.timestamp and written.timestamp.lower(),
    )
    return SignatureCheck(
        scheme="hmac", form=form, within_ms=(within or WITHIN_MS) if written.timestamp else None, id=written.id
    )


def _signed(text: str, problems: list[Problem]) -> tuple[SignedPart, ...]:
    try:
        return signed_parts(text)
    except BadSignedText as error:
        length = error.end - error.start
        problem = Problem(
            code="H404", message=str(error), path=("signed",), offset=error.start, length=length, help=_PLACES
        )
        problems.append(problem)
        return ()


def _time_problems(written: WrittenCheck, is_signed: bool) -> Iterator[Problem]:
    """Problems of a time that is checked and not signed, or signed and not known."""
    if written.timestamp is None and is_signed:
        message, help = "`signed` has a `timestamp`, and no header is named for it", "add `timestamp: X-Timestamp`"
        yield Problem(code="H403", message=message, path=("signed",), help=help)
    if written.timestamp is not None and not is_signed:
        message = "the timestamp is not part of what is signed, so anyone could renew it"
        help = 'add it to `signed`, e.g. "{{ timestamp }}.{{ body }}"'
        yield Problem(code="H404", message=message, path=("timestamp",), on="key", help=help)
    if written.timestamp is None and written.within is not None:
        message, help = "`within` needs the time of a signature", "add `timestamp: X-Timestamp`, or drop `within`"
        yield Problem(code="H403", message=message, path=("within",), on="key", help=help)


def _id_problems(place: EventIdPlace | None) -> Iterator[Problem]:
    if place is None:
        return
    if (place.header is None) == (place.path is None):
        help = "write `id: {header: X-Delivery-Id}`, or `id: {path: data.id}`"
        yield Problem(code="H404", message="`id` is one header or one path", path=("id",), help=help)
    if place.path is not None:
        try:
            parse_path(place.path)
        except ProblemError as error:
            yield error.problem.below(("id", "path"))


def _within(written: WrittenCheck, problems: list[Problem]) -> int | None:
    if written.within is None:
        return None
    within = duration_ms(written.within, ("within",), problems)
    if within is not None and within > LONGEST_MS:
        message = "a signature may be 7d old at most"
        problems.append(Problem(code="H404", message=message, path=("within",), help="write e.g. `within: 5m`"))
    return within
