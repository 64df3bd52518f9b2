"""The API's reference page, rendered from its OpenAPI description.

The page is plain HTML with no script and nothing loaded from elsewhere: it works in a plant without internet, and no
third party's code runs where people handle API keys.
"""

from collections.abc import Iterator
from html import escape
from typing import Any

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
MAX_TYPE_DEPTH = 4

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24 }
h2 { margin-top: 2.5rem; text-transform: capitalize } h3 { margin: 2rem 0 0 }
code, pre { font-family: ui-monospace, monospace }
h3 b { display: inline-block; min-width: 4rem; color: #0a5c36 } table { border-collapse: collapse; width: 100% }
td, th { border-top: 1px solid #d0d7de; padding: .3rem .6rem; text-align: left; vertical-align: top }
pre { background: #f6f8fa; padding: .8rem; overflow-x: auto }
@media (prefers-color-scheme: dark) {
  body { background: #0d1117; color: #e6edf3 } pre { background: #161b22 } h3 b { color: #56d364 } a { color: #79c0ff }
}
"""


def page(api: dict[str, Any]) -> str:
    """`api` (OpenAPI 3.1) as an HTML page: every operation with its parameters, body, answer and an example call."""
    title = escape(api["info"]["title"])
    groups: dict[str, list[str]] = {}
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            group = (operation.get("tags") or ["other"])[0]
            groups.setdefault(group, []).append("".join(_operation(api, method.upper(), path, operation)))
    body = "".join(f"<h2>{escape(name)}</h2>{''.join(parts)}" for name, parts in groups.items())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1><p>Version {escape(api['info']['version'])}. "
        f"Send an API key with every request: <code>Authorization: Bearer pt_…</code>. Errors are problem documents "
        f'(RFC 7807). The <a href="/openapi.json">OpenAPI description</a> is for tools.</p>{body}</html>'
    )


def _operation(api: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<h3><b>{method}</b> <code>{escape(path)}</code></h3><p>{escape(operation.get('description', ''))}</p>"
    rows = [
        (parameter["name"], parameter["in"], parameter.get("required", False), parameter["schema"], parameter)
        for parameter in operation.get("parameters", [])
    ]
    content = operation.get("requestBody", {}).get("content", {})
    media = next(iter(content), "")
    schema = _resolved(api, content[media].get("schema", {})) if media else {}
    required = schema.get("required", [])
    rows += [(name, "body", name in required, part, part) for name, part in schema.get("properties", {}).items()]
    if rows:
        yield "<table><tr><th>name<th>in<th>type<th>meaning</tr>"
        for name, place, needed, part, described in rows:
            mark = "" if needed else " (optional)"
            yield f"<tr><td><code>{escape(name)}</code>{mark}<td>{place}<td><code>{escape(_type(api, part))}</code>"
            yield f"<td>{escape(described.get('description', ''))}</tr>"
        yield "</table>"
    call = f"curl -X {method} -H 'Authorization: Bearer pt_…'"
    if media:
        call += f" -H 'Content-Type: {media}' -d @body"
    yield f"<pre>{escape(call)} {escape(path)}</pre>"
    for status, answer in operation.get("responses", {}).items():
        if status.startswith("2"):
            for answered in answer.get("content", {}).values():
                yield f"<p>Answers {status}: <code>{escape(_type(api, answered.get('schema', {})))}</code></p>"


def _resolved(api: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return api["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema


def _type(api: dict[str, Any], schema: dict[str, Any], depth: int = 0) -> str:
    """A schema in one line: `string`, `[integer]`, `{id: string, …}`, `line | quality`."""
    schema = _resolved(api, schema)
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " | ".join(_type(api, choice, depth) for choice in schema["anyOf"])
    if schema.get("type") == "array":
        return f"[{_type(api, schema.get('items', {}), depth + 1)}]"
    if "properties" in schema:
        if depth >= MAX_TYPE_DEPTH:
            return "{…}"
        members = (f"{name}: {_type(api, part, depth + 1)}" for name, part in schema["properties"].items())
        return "{" + ", ".join(members) + "}"
    return str(schema.get("type", "any"))
