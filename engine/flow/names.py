"""The names that flows may refer to: segments, targets and sources of the project, and the roots of expressions."""

from collections.abc import Mapping

from msgspec import Struct

from engine.language.path import ROOTS
from engine.problem import Problem, did_you_mean
from engine.profile.consent import is_consent_name
from engine.schema.value_type import ValueType


class ProjectNames(Struct, frozen=True):
    """The names that the project around a flow defines, and the roots that are known within it."""

    segments: frozenset[str] = frozenset()
    manual_segments: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    fields: Mapping[str, Mapping[str, ValueType]] = {}  # that schemas declare, by the type of events
    typed: bool = False  # every source applies schemas
    http_targets: frozenset[str] = frozenset()  # those that are known to be HTTP services
    mail_targets: frozenset[str] = frozenset()  # those that are known to be mail servers
    senderless_targets: frozenset[str] = frozenset()  # mail servers without an address from which mails come
    unsigned_targets: frozenset[str] = frozenset()  # HTTP services without a secret that signs webhooks
    hash_keys: frozenset[str] = frozenset()  # that `hmac` may use
    roots: frozenset[str] = ROOTS  # that expressions may read; those of a loop's nodes have `item` and `index`, too

    def problem(self, kind: str, name: str) -> Problem | None:
        """The problem of a reference to `name`, or None.

        `kind`: segment, manual-segment, target (an HTTP service), signed-target, mail-target, sender-target (a mail
        server that has a sender's address), source, hash key or consent.
        """
        if kind == "consent":
            return _consent_name_problem(name)
        if kind == "manual-segment":
            return self._manual_segment_problem(name)
        if kind.endswith("target"):
            return self._target_problem(kind, name)
        return _unknown(
            kind, name, {"segment": self.segments, "source": self.sources, "hash key": self.hash_keys}[kind]
        )

    def _target_problem(self, kind: str, name: str) -> Problem | None:
        """The problem of a target that does not exist, is not of this kind, or lacks what the node needs."""
        if (problem := _unknown("target", name, self.targets)) is not None:
            return problem
        message = help = ""
        if kind == "mail-target":
            if name in self.http_targets:
                message, help = f"`{name}` is no mail server", "its url begins with `smtp://` or `smtps://`"
        elif kind == "sender-target":
            if name in self.senderless_targets:
                message = f"mails by `{name}` have no sender"
                help = "add `sender:` with an address to the target or to this node"
        elif name in self.mail_targets:
            message, help = f"`{name}` is a mail server, which takes only mails", "`deliver.email` sends them"
        elif kind == "signed-target" and name in self.unsigned_targets:
            message = f"`{name}` has no `secret`, which signs webhooks"
            help = "add `secret: ${env:NAME}` to the target; `deliver.http` sends requests that are not signed"
        return Problem(code="H139", message=message, help=help) if message else None

    def _manual_segment_problem(self, name: str) -> Problem | None:
        if name in self.manual_segments:
            return None
        if name in self.segments:
            return Problem(
                code="H309",
                message=f"segment `{name}` has a condition: its members come and go by that, not by hand",
                help=f"let the condition decide, or write `manual: true` in place of it in segments/{name}.yaml",
            )
        return self.problem("segment", name)


def _unknown(kind: str, name: str, known: frozenset[str]) -> Problem | None:
    if name in known:
        return None
    return Problem(code="H118", message=f"there is no {kind} `{name}`", help=_help(kind, name, known))


def _consent_name_problem(name: str) -> Problem | None:
    """Consents are not declared, so any name is valid that can be written in a path and in a payload."""
    if is_consent_name(name):
        return None
    help = "letters, digits, `_` and `-`, at most 100 of them"
    above, _, last = name.rpartition(".")
    if above in ("consents", "profile.consents") and is_consent_name(last):
        help = f"write the name alone: `{last}`"
    return Problem(code="H104", message=f"`{name[:100]}` is not the name of a consent", help=help)


def _help(kind: str, name: str, known: frozenset[str]) -> str:
    declaration = {
        "segment": f"add segments/{name}.yaml with `segment: {name}` and `manual: true`",
        "target": f"add it to `targets:` in headrace.yaml: `{name}: {{url: https://…}}`",
        "source": f"add sources/{name}.yaml",
        "hash key": f"add it to `hash_keys:` in headrace.yaml: `{name}: ${{env:NAME}}`",
    }[kind]
    return did_you_mean(name, known) or declaration
