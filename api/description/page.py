"""The page `/schema`, which shows the OpenAPI document to readers: plain HTML, no script, nothing from elsewhere."""

import json
from typing import Any, Final

from jinja2 import Environment

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
<p>{{ info.description }}</p>
<p>With <code>adminKey</code>, a request carries the admin key: <code>Authorization: Bearer KEY</code>.</p>
{%- for tag, operations in groups.items() %}
<h2>{{ tag }}</h2>
<p>{{ texts[tag] }}.</p>
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
{%- if operation.key %}
<p>Key: <code>{{ operation.key }}</code></p>
{%- endif %}
{%- if operation.body %}
<details><summary>Body</summary><pre>{{ operation.body }}</pre></details>
{%- endif %}
{%- for status, answer in operation.answers.items() %}
<details><summary>Answer {{ status }}</summary><pre>{{ answer }}</pre></details>
{%- endfor %}
<p>Problem documents: {{ operation.others }}</p>
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


def rendered(document: dict[str, Any]) -> bytes:
    """Return the page of a document, as UTF-8."""
    groups: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            groups[operation["tags"][0]].append(_operation(method, path, operation))
    return _template.render(
        info=document["info"],
        texts={tag["name"]: tag["description"] for tag in document["tags"]},
        groups=groups,
        schemas={name: json.dumps(schema, indent=2) for name, schema in document["components"]["schemas"].items()},
        style=STYLE,
    ).encode()


def _operation(method: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    answers = {status: _shown(answer) for status, answer in operation["responses"].items() if "$ref" not in answer}
    others = [status for status, answer in operation["responses"].items() if "$ref" in answer]
    body = operation.get("requestBody")
    keys = [name for keys in operation["security"] for name in keys]
    return {
        **operation,
        "method": method.upper(),
        "path": path,
        "body": _shown(body) if body else "",
        "answers": answers,
        "others": ", ".join(others),
        "key": " or ".join(keys),
    }


def _shown(described: dict[str, Any]) -> str:
    """Return the content of a body or of an answer as text: its schema and its examples, by media type."""
    return json.dumps(described["content"], indent=2) if "content" in described else ""
