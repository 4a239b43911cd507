"""The parts of the documentation that are written from the code: `python -m tests.documentation`.

`docs/architecture.md` lists every module with the first sentence of its docstring;
`docs/properties.md` names, for each property, the tests that are marked with its number.
`config/gateway.example.env` lists every setting with its unit and default, below its heading.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.settings.listing import defaults

ROOT = Path(__file__).parents[1]
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PROPERTIES = ROOT / "docs" / "properties.md"
EXAMPLE = ROOT / "config" / "gateway.example.env"
PACKAGES = ("gateway", "handlers", "benchmarks")
_BLOCK = re.compile(r"(<!-- modules -->\n).*?(<!-- end -->)", re.DOTALL)
_ROW = re.compile(r"^\| (\d+) \| (.+) \| [^|]* \|$", re.MULTILINE)


def with_modules(text: str) -> str:
    """The page with its list of modules as it is now."""
    lines = "".join(f"{line}\n" for line in module_lines())
    return _BLOCK.sub(lambda found: f"{found[1]}{lines}{found[2]}", text)


def module_lines() -> Iterator[str]:
    """One line per module: its path and what its docstring says first."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            summary = ast.get_docstring(ast.parse(path.read_text()))
            name = path.relative_to(ROOT).as_posix().removesuffix("/__init__.py")
            if summary:
                first = re.split(r"\n\n", summary)[0].replace("\n", " ")
                yield f"- `{name}`: {first}"


def with_tests(text: str) -> str:
    """The page with the tests of each property as they are marked now."""
    marked = tests_by_property()
    return _ROW.sub(
        lambda row: f"| {row[1]} | {row[2]} | {_links(marked.get(int(row[1]), []))} |", text
    )


def with_settings(text: str) -> str:
    """The example with every setting as it is now."""
    heading, _, _ = text.partition("\n\n")
    return f"{heading}\n\n{defaults()}"


def tests_by_property() -> dict[int, list[str]]:
    """Test ids, `file::name`, by the number of the property they are marked with."""
    found: dict[int, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name, number in _marks(ast.parse(path.read_text())):
            found.setdefault(number, []).append(f"{path.relative_to(ROOT).as_posix()}::{name}")
    return found


def _marks(module: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                match decorator:
                    case ast.Call(func=ast.Attribute(attr="prop"), args=[ast.Constant(int(n))]):
                        yield node.name, n


def _links(ids: list[str]) -> str:
    by_file: dict[str, list[str]] = {}
    for test_id in ids:
        file, _, name = test_id.partition("::")
        by_file.setdefault(file, []).append(name)
    return "; ".join(_link(file, names) for file, names in by_file.items()) or "-"


def _link(file: str, names: list[str]) -> str:
    return f"[{file.removeprefix('tests/')}](../{file}): " + ", ".join(f"`{n}`" for n in names)


def pages() -> Mapping[Path, str]:
    """Every page with written parts, as it should read."""
    return {
        ARCHITECTURE: with_modules(ARCHITECTURE.read_text()),
        PROPERTIES: with_tests(PROPERTIES.read_text()),
        EXAMPLE: with_settings(EXAMPLE.read_text()),
    }


if __name__ == "__main__":
    for page, content in pages().items():
        page.write_text(content)
