"""Migration: creates and upgrades templates, indices and stored data.

It may be run at any time, by several processes at once. The index of the keys is upgraded last: as long as it has an
older schema, the data are still to be upgraded.
"""

import asyncio

from msgspec import Raw, Struct, field, json

from engine.ports.store import Unavailable
from storage.elasticsearch.connection import Connection, Lost
from storage.elasticsearch.data_upgrade import DataUpgrade
from storage.elasticsearch.error_cause import cause_of
from storage.elasticsearch.names import Names
from storage.elasticsearch.templates import CHANGEABLE, SCHEMA, IndexTemplate, encodable, index_templates, mappings
from storage.encoding import encode

EXISTS = "resource_already_exists_exception"


class NewerSchema(Unavailable):
    """The indices were made by a newer program: this one might damage them."""

    def __init__(self, name: str, schema: int) -> None:
        super().__init__(f"{name} has schema {schema}, this program knows up to {SCHEMA}: upgrade it", retry_after=60)


class _Meta(Struct, frozen=True):
    schema: int = 0


class _Mappings(Struct, frozen=True):
    meta: _Meta = field(default_factory=_Meta, name="_meta")
    properties: dict[str, Raw] = field(default_factory=dict)

    @property
    def schema(self) -> int:
        return self.meta.schema

    def older(self, template: IndexTemplate) -> bool:
        """Whether this program's mappings have more, such as a field that was added to the row of a kind."""
        return self.schema < SCHEMA or not template.fields.keys() <= self.properties.keys()


class _Index(Struct, frozen=True):
    mappings: _Mappings = field(default_factory=_Mappings)


class _Body(Struct, frozen=True):
    meta: _Meta = field(default_factory=_Meta, name="_meta")
    template: _Index = field(default_factory=_Index)

    @property
    def schema(self) -> int:
        return self.meta.schema


class _Template(Struct, frozen=True):
    name: str
    index_template: _Body


class _Templates(Struct, frozen=True):
    index_templates: list[_Template]


_templates = json.Decoder(_Templates).decode
_indices = json.Decoder(dict[str, _Index]).decode


class Migration:
    """Brings the indices of a prefix to this program's schema."""

    def __init__(self, connection: Connection, names: Names, data: DataUpgrade) -> None:
        self._connection = connection
        self._data = data
        self._prefix = names.prefix
        self._keys = names.keys
        self._templates = index_templates(names)

    async def run(self) -> list[str]:
        """Migrate; returns in words what was done. Raises `NewerSchema` and `Unavailable`."""
        known = await self._known_templates()
        indices = await self._known_indices()
        schemas = [(name, body.schema) for name, body in known.items()]
        for name, schema in [*schemas, *[(name, stored.schema) for name, stored in indices.items()]]:
            if schema > SCHEMA:
                raise NewerSchema(name, schema)
        # The server gathers concurrent requests into one change of the cluster's state. Templates first: indices rest
        # on them.
        templates = await asyncio.gather(*[self._make(each, known) for each in self._templates])
        late = [each for each in self._templates if self._name(each) == self._keys and self._holds_earlier(indices)]
        made = await asyncio.gather(*[self._bring(each, indices) for each in self._templates if each not in late])
        data = await self._data.run() if late else []
        last = [await self._bring(each, indices) for each in late]
        return [words for some in (*templates, *made, data, *last) for words in some]

    async def preview(self) -> list[str]:
        """The changes of stored data that `run` would make, in words. Raises `Unavailable`."""
        return await self._data.preview() if self._holds_earlier(await self._known_indices()) else []

    def _holds_earlier(self, indices: dict[str, _Mappings]) -> bool:
        """Whether the data are as an earlier schema has them."""
        return self._keys in indices and indices[self._keys].schema < SCHEMA

    async def _make(self, template: IndexTemplate, known: dict[str, _Body]) -> list[str]:
        name = self._name(template)
        stored = known.get(name)
        if stored is not None and stored.schema == SCHEMA and not stored.template.mappings.older(template):
            return []
        await self._ask("PUT", f"/_index_template/{name}", encode(encodable(template, self._prefix)))
        return [f"{'upgraded' if name in known else 'made'} the template {name} (schema {SCHEMA})"]

    async def _bring(self, template: IndexTemplate, indices: dict[str, _Mappings]) -> list[str]:
        name = self._name(template)
        done = []
        if not template.parts and name not in indices and await self._ask("PUT", f"/{name}", b"{}", fine=EXISTS):
            done.append(f"made the index {name}")
        for index, stored in indices.items():
            if _of(template, name, index) and stored.older(template):
                await self._ask("PUT", f"/{index}/_settings", encode(CHANGEABLE))
                # Last: it holds the number of the schema.
                await self._ask("PUT", f"/{index}/_mapping", encode(mappings(template)))
                done.append(f"upgraded the index {index} to schema {SCHEMA}")
        return done

    def _name(self, template: IndexTemplate) -> str:
        return f"{self._prefix}-{template.name}"

    async def _known_templates(self) -> dict[str, _Body]:
        body = await self._ask("GET", f"/_index_template/{self._prefix}-*", missing=b'{"index_templates":[]}')
        ours = {self._name(each) for each in self._templates}
        found = _templates(body).index_templates
        return {each.name: each.index_template for each in found if each.name in ours}

    async def _known_indices(self) -> dict[str, _Mappings]:
        patterns = ",".join([f"{self._name(each)}{'-*' if each.parts else ''}" for each in self._templates])
        body = await self._ask("GET", f"/{patterns}/_mapping?ignore_unavailable=true", missing=b"{}")
        return {name: index.mappings for name, index in _indices(body).items()}

    async def _ask(
        self, method: str, path: str, body: bytes | None = None, missing: bytes = b"", fine: str | None = None
    ) -> bytes:
        """The answer of the server; empty when it refused for the reason `fine`."""
        try:
            answer = await self._connection.request(method, path, body)
        except Lost as lost:
            raise Unavailable(str(lost)) from lost
        if answer.good:
            return answer.body
        if answer.status == 404 and missing:
            return missing
        cause = cause_of(answer)
        if cause.type == fine:
            return b""
        raise Unavailable(str(cause))


def _of(template: IndexTemplate, name: str, index: str) -> bool:
    return index.startswith(f"{name}-") if template.parts else index == name
