"""The page `/schema`, which shows the OpenAPI document to readers: plain HTML, no script, nothing from elsewhere."""

import json
from typing import Any, Final

from jinja2 import Environment
from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin

STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
h3 { margin: 1.5rem 0 0; }
h3 small { font-weight: normal; }
dt { font-weight: bold; }
pre { background: #8882; overflow: auto; padding: .5rem; }
"""
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{{ info.title }}: API</title><style>{{ style }}</style></head>
<body>
<h1>{{ info.title }} {{ info.version }}</h1>
<p>The same as an OpenAPI document: <a href="schema/openapi.json">openapi.json</a>.</p>
<p>Requests to the groups “reading” and “identity” carry the admin key: <code>Authorization: Bearer KEY</code>.</p>
{%- for tag, operations in groups.items() %}
<h2>{{ tag }}</h2>
{%- for operation in operations %}
<h3><code>{{ operation.method }} {{ operation.path }}</code> <small>{{ operation.summary }}</small></h3>
{%- if operation.description %}
<p>{{ operation.description }}</p>
{%- endif %}
{%- if operation.parameters %}
<dl>
{%- for parameter in operation.parameters %}
<dt><code>{{ parameter.name }}</code> in the {{ parameter.in }}{{ ", required" if parameter.required }}</dt>
<dd>{{ parameter.description }}</dd>
{%- endfor %}
</dl>
{%- endif %}
{%- if operation.body %}
<details><summary>Body</summary><pre>{{ operation.body }}</pre></details>
{%- endif %}
{%- endfor %}
{%- endfor %}
<h2>Schemas</h2>
{%- for name, schema in schemas.items() %}
<details><summary>{{ name }}</summary><pre>{{ schema }}</pre></details>
{%- endfor %}
</body>
</html>
"""
_template = Environment(autoescape=True).from_string(_PAGE)


class ApiPage(OpenAPIRenderPlugin):
    """Renders the page, once: it is the same for everybody, and anybody may ask for it."""

    def __init__(self) -> None:
        super().__init__(path="/")
        self._page: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the page of the application's document, as UTF-8."""
        if self._page is None:
            self._page = _render(json.loads(self.render_json(request, openapi_schema)))
        return self._page


def _render(document: dict[str, Any]) -> bytes:
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            tag = operation.get("tags", ["server"])[0]
            groups.setdefault(tag, []).append(_operation(method, path, operation))
    schemas = {name: json.dumps(schema, indent=2) for name, schema in document["components"]["schemas"].items()}
    return _template.render(info=document["info"], groups=groups, schemas=schemas, style=STYLE).encode()


def _operation(method: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    body = {media: described["schema"] for media, described in content.items()}
    return {**operation, "method": method.upper(), "path": path, "body": json.dumps(body, indent=2) if body else ""}
