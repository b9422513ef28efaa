"""Small projects for tests, from YAML texts."""

from collections.abc import Mapping
from hashlib import sha256
from textwrap import dedent
from typing import Any

import yaml

import nodes
from engine.flow.compile import compile_flow
from engine.flow.names import ProjectNames
from engine.flow.plan import Flow
from engine.language.expression import compile_condition
from engine.profile.key import KeyRules
from engine.project.project import Project, Settings
from engine.project.segment import Segment
from engine.project.source import Source, Target
from engine.schema.schema import Schema

REGISTRY = nodes.builtin()
SETTINGS = Settings()
SHOP = Source(source="shop", identify="trust", debugger=True, profiles=True, origins=("https://shop.example",))
PAGE = Source(source="page", identify="link", debugger=True, profiles=True)
CUSTOMER = ("traits", "customer")
USERS = Settings(keys=KeyRules(forms=((CUSTOMER, "exact"),), exclusive=frozenset({CUSTOMER}), user=CUSTOMER))


def project(
    *flows: str,
    segments: Mapping[str, str | Segment | None] = {},
    sources: tuple[Source, ...] = (SHOP,),
    targets: Mapping[str, Target] = {},
    settings: Settings = SETTINGS,
    schemas: tuple[Schema, ...] = (),
    hash_keys: frozenset[str] = frozenset(),
) -> Project:
    """A project of these flow texts. `segments` are name -> condition, or None for a manual one, or the whole."""
    names = ProjectNames(
        segments=frozenset(segments),
        manual_segments=frozenset(name for name, condition in segments.items() if condition is None),
        targets=frozenset(targets),
        sources=frozenset(source.source for source in sources),
        hash_keys=hash_keys,
    )
    compiled = [_compiled(text, names) for text in flows]
    return Project(
        name="test",
        compile_text=lambda text: _compiled(text, names),
        settings=settings,
        flows=tuple(sorted(compiled, key=lambda flow: flow.name)),
        segments={name: _segment(name, condition) for name, condition in segments.items()},
        sources={source.source: source for source in sources},
        targets=targets,
        schemas={schema.collection: schema for schema in schemas},
    )


def _compiled(text: str, names: ProjectNames) -> Flow:
    text = dedent(text)
    version = sha256(text.encode()).hexdigest()
    flow, problems = compile_flow(yaml.safe_load(text), names, REGISTRY, version=version, text=text)
    assert flow is not None, [problem.message for problem in problems]
    return flow


def _segment(name: str, condition: str | Segment | None) -> Segment:
    if isinstance(condition, Segment):
        return condition
    if condition is None:
        return Segment(name=name, manual=True)
    return Segment(name=name, condition=compile_condition(condition))


def payload(*events: dict[str, Any] | str, session: str | None = "s-1", **more: Any) -> dict[str, Any]:
    """A body of `/track` from source `shop`; an event may be given by its type alone."""
    body: dict[str, Any] = {
        "source": {"id": "shop"},
        "events": [{"type": event} if isinstance(event, str) else event for event in events],
        **more,
    }
    if session is not None:
        body["session"] = {"id": session}
    return body
