"""Identity keys: values that identify a profile, normalised so that two spellings are one key.

A form removes how a value is spelled, and keeps all that distinguishes it from other values.
"""

import re
from contextlib import suppress
from typing import Literal
from unicodedata import category, normalize

from msgspec import Struct

from engine.profile.document import Path, Scalar
from engine.profile.operations import Refused
from engine.profile.value import dotted

Form = Literal["email", "phone", "lower", "exact"]

MAX_KEY_LENGTH = 200  # characters of a key's value
MAX_PER_KEY = 20  # profiles that one value joins; the default of `merging.most_per_key`

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
# Parts of a number that the library drops: a subaddress (RFC 3966), and a second extension after a slash.
_DROPPED_OF_PHONE = re.compile(r";isub=|[\\/] *x", re.IGNORECASE)


class KeyRules(Struct, frozen=True):
    """A project's rules for identity keys.

    `forms` are by path. A path without a form is an `email` if its name ends in "email" and the value has an `@`, else
    `exact`. `region` (ISO 3166) is that of phone numbers without a country code. `never` are folded values that
    identify no person, as keys and ids. `max_per_key` is how many profiles one value joins with the first that had it.
    `exclusive` are the paths of which a profile has one value at most. `user` is the path of the user ids that payloads
    carry; it is always one of `exclusive`. Each exclusive path has a form, `exact` unless the project declares another.
    """

    forms: tuple[tuple[Path, Form], ...] = ()
    region: str | None = None
    max_per_key: int = MAX_PER_KEY
    never: frozenset[str] = frozenset()
    exclusive: frozenset[Path] = frozenset()
    user: Path | None = None

    def form(self, path: Path) -> Form | None:
        """Return the declared form of a key, if any."""
        return next((form for declared, form in self.forms if declared == path), None)


DEFAULT_KEY_RULES = KeyRules()


def key_text(path: Path, value: Scalar, rules: KeyRules = DEFAULT_KEY_RULES) -> str:
    """Return a key's value in the form that is compared and stored. Raises `Refused` for a value without that form."""
    text = plain_text(value)
    match rules.form(path):
        case "email":
            return _email(text, path)
        case "phone":
            return _phone(text, path, rules.region)
        case "lower":
            return folded(text)
        case "exact":
            return text
    return folded(text) if "@" in text and path[-1].casefold().endswith("email") else text


def plain_text(value: Scalar) -> str:
    """Return a value as text, without white space around it. Raises `Refused` for a number that is too long."""
    if isinstance(value, int) and value.bit_length() > 4 * MAX_KEY_LENGTH:
        raise Refused(f"a key has at most {MAX_KEY_LENGTH} digits")
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 42 and 42.0 are one number in JSON
    return str(value).strip()


def folded(text: str) -> str:
    """Return text in lower case and in Unicode form NFKC, without invisible characters and white space around it."""
    for _ in range(2):  # lower case may produce characters that NFKC replaces
        text = normalize("NFKC", text).lower()
    return "".join([c for c in text if category(c) != "Cf"]).strip() if not text.isascii() else text.strip()


def _email(text: str, path: Path) -> str:
    address = folded(text)
    if not _EMAIL.fullmatch(address):
        raise Refused(f"`{text[:MAX_KEY_LENGTH]}` at `{dotted(path)}` is not an e-mail address")
    return address


def all_spellings(value: str, rules: KeyRules) -> frozenset[str]:
    """Return a value as it is compared with `KeyRules.never`: folded, and in the form of each key that takes it."""
    spellings = {folded(value)}
    for path, _ in rules.forms:
        with suppress(Refused):
            spellings.add(folded(key_text(path, value, rules)))
    return frozenset(spellings)


def _phone(text: str, path: Path, region: str | None) -> str:
    """Return a number as RFC 3966 writes it: `+4930901820`, and with an extension `+4930901820;ext=12`."""
    import phonenumbers  # its tables are large: only projects with phone keys load them

    try:
        number = phonenumbers.parse(text, region)
        valid = phonenumbers.is_valid_number(number) and not _DROPPED_OF_PHONE.search(text)
    except phonenumbers.NumberParseException:
        valid = False
    if not valid:
        where = f" of {region}, or one with its country code" if region else " with its country code"
        raise Refused(f"`{text[:MAX_KEY_LENGTH]}` at `{dotted(path)}` is not a phone number{where}")
    plain = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    extension = phonenumbers.normalize_digits_only(number.extension or "")
    return f"{plain};ext={extension}" if extension else plain


def regions() -> frozenset[str]:
    """Return the ISO 3166 codes that `KeyRules.region` may have."""
    import phonenumbers

    return frozenset(phonenumbers.SUPPORTED_REGIONS)
