"""The API reference as one HTML page, made from the OpenAPI document: no script, no network."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from html import escape
from typing import Any, Final

STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #3b6fd4 }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line) }
article { border: 1px solid var(--line); border-radius: .6rem; padding: .2rem 1.2rem 1rem;
  margin: 1.2rem 0 }
h3 { font: 600 1.05rem ui-monospace, monospace; overflow-wrap: anywhere }
h3 b { color: var(--accent) }
table { border-collapse: collapse; width: 100%; font-size: .92rem }
td, th { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0;
  border-top: 1px solid var(--line) }
code, pre { font: .88rem ui-monospace, monospace } pre { background: var(--soft); padding: .7rem;
  border-radius: .4rem; overflow: auto } summary { cursor: pointer }
"""
STYLE_HASH: Final = "sha256-" + b64encode(sha256(STYLE.encode()).digest()).decode()

Document = Mapping[str, Any]


def render(document: Document) -> str:
    """The page for an OpenAPI 3.1 document."""
    info = document["info"]
    groups: dict[str, list[str]] = {}
    for path, method, operation in _operations(document):
        article = _operation(document, path, method, operation)
        groups.setdefault(operation.get("tags", ["other"])[0], []).append(article)
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(parts)}" for tag, parts in groups.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}: API</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"<p>{escape(info.get('summary', ''))}</p>"
        '<p>For tools: <a href="/openapi.json">openapi.json</a>.</p>'
        f"{body}</body></html>"
    )


def _operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _operation(document: Document, path: str, method: str, operation: Document) -> str:
    bodies = operation.get("requestBody", {}).get("content", {})
    parts = [
        f"<h3><b>{escape(method.upper())}</b> {escape(path)}</h3>",
        *(f"<p>{_prose(text)}</p>" for text in operation["description"].split("\n\n")),
        _parameters(document, operation.get("parameters", [])),
        *(_body(document, kind, content) for kind, content in bodies.items()),
        *(_answer(document, status, one) for status, one in operation["responses"].items()),
    ]
    return f"<article>{''.join(parts)}</article>"


def _parameters(document: Document, parameters: list[Document]) -> str:
    rows = [
        (f"{one['name']} ({one['in']})", _type(document, one["schema"]), _note(one))
        for one in parameters
    ]
    return _table("Parameter", rows)


def _body(document: Document, kind: str, content: Document) -> str:
    schema = _resolved(document, content["schema"])
    example = _example(content["example"]) if "example" in content else ""
    return f"<h4><code>{escape(kind)}</code></h4>{_fields(document, schema)}{example}"


def _answer(document: Document, status: str, answer: Document) -> str:
    shown = []
    for kind, content in answer.get("content", {}).items():
        schema = _resolved(document, content.get("schema", {}))
        examples = {name: one["value"] for name, one in content.get("examples", {}).items()}
        if not examples and "example" in schema:
            examples = {kind: schema["example"]}
        fields = "" if content.get("examples") else _fields(document, schema)
        named = (f"<p><code>{escape(n)}</code></p>{_example(v)}" for n, v in examples.items())
        shown += [fields, *named]
    title = f"<summary><b>{escape(status)}</b> {_prose(answer['description'])}</summary>"
    return f"<details>{title}{''.join(shown)}</details>"


def _fields(document: Document, schema: Document) -> str:
    required = schema.get("required", [])
    rows = [
        (name + ("" if name in required else " (optional)"), _type(document, one), _note(one))
        for name, one in schema.get("properties", {}).items()
    ]
    return _table("Field", rows)


def _table(head: str, rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return ""
    cells = (
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}</td><td>{escape(text)}</td></tr>"
        for name, kind, text in rows
    )
    return f"<table><tr><th>{head}</th><th>Type</th><th>Meaning</th></tr>{''.join(cells)}</table>"


def _type(document: Document, schema: Document) -> str:
    options = schema.get("anyOf", [schema])
    return " or ".join(_plain_type(document, one) for one in options if one.get("type") != "null")


def _plain_type(document: Document, schema: Document) -> str:
    values = _resolved(document, schema).get("enum")
    if values:
        return ", ".join(map(str, values))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    kind = "file" if schema.get("format") == "binary" else str(schema.get("type", "any"))
    bounds = [str(schema[name]) for name in ("minimum", "maximum") if name in schema]
    return " ".join([kind, " … ".join(bounds)])


def _note(schema: Document) -> str:
    default = schema.get("default")
    shown = "" if default is None or isinstance(default, dict) else f"default: {default}"
    return "; ".join(part for part in (schema.get("description", ""), shown) if part)


def _prose(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _example(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"


def _resolved(document: Document, schema: Document) -> Document:
    if "$ref" not in schema:
        return schema
    found: Document = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found
