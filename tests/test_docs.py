"""Documentation that cannot drift: commands exist, routes exist, written parts are up to date."""

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gateway.app import create_app
from gateway.settings.tree import Settings
from tests import documentation

ROOT = documentation.ROOT
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", documentation.pages(), ids=lambda page: page.name)
def test_written_parts_are_up_to_date(page: Path) -> None:
    hint = "run: python -m tests.documentation"
    assert page.read_text() == documentation.pages()[page], hint


def test_every_marked_property_is_documented() -> None:
    numbers = {
        int(n)
        for n in re.findall(r"^\| (\d+) \|", documentation.PROPERTIES.read_text(), re.MULTILINE)
    }
    assert numbers == set(range(1, 45))
    assert documentation.tests_by_property().keys() <= numbers


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE)) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_local_links_lead_somewhere(page: Path) -> None:
    linked = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    shown = re.findall(r'src="(?!https?://)([^"]+)', page.read_text())
    missing = [link for link in linked + shown if not (page.parent / link).exists()]
    assert missing == []


def test_commands_of_the_project_exist() -> None:
    modules = {
        match
        for page in PAGES
        for match in re.findall(
            r"python -m ((?:benchmarks|handlers|tests)[\w.]*)", page.read_text()
        )
    }
    paths = {module: ROOT / module.replace(".", "/") for module in modules}
    run = {m: (path.with_suffix(".py"), path / "__main__.py") for m, path in paths.items()}
    assert [m for m, files in run.items() if not any(file.exists() for file in files)] == []


def test_the_readmes_requests_name_real_routes_and_fields() -> None:
    described = create_app(Settings()).openapi()
    requests = [shlex.split(line) for line in _commands(README) if line.startswith("curl ")]
    assert requests
    for words in requests:
        path = next(word for word in words if word.startswith("localhost"))
        operations = described["paths"][path.removeprefix("localhost:8000")]
        given = list(pairwise(words))
        fields = {word.partition("=")[0] for flag, word in given if flag == "-F"}
        keys = {key for flag, word in given if flag == "--json" for key in json.loads(word)}
        operation = operations["post" if fields | keys else "get"]
        schemas = described["components"]["schemas"]
        assert fields <= _fields(operation, schemas, "multipart/form-data"), words
        assert keys <= _fields(operation, schemas, "application/json"), words


def test_every_environment_variable_named_is_a_setting() -> None:
    known = (ROOT / "config" / "gateway.example.env").read_text() + "VTON_CHROMIUM="
    workers = " ".join(file.read_text() for file in (ROOT / "handlers").rglob("*.py"))
    workers += " ".join(file.read_text() for file in (ROOT / "gateway" / "cli").glob("*.py"))
    known += "".join(f"{name}=" for name in re.findall(r'"(VTON_\w+)"', workers))
    named = {name for page in PAGES for name in re.findall(r"VTON_[A-Z_]+[A-Z]", page.read_text())}
    assert [name for name in named if f"{name}=" not in known] == []


def _commands(text: str) -> list[str]:
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]


def _fields(operation: dict[str, Any], schemas: dict[str, Any], media_type: str) -> set[str]:
    content = operation.get("requestBody", {"content": {}})["content"]
    if media_type not in content:
        return set()
    schema = content[media_type]["schema"]
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    return set(schema["properties"])
