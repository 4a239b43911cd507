"""The rules of the house, held by a machine."""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("handlers", "gateway", "benchmarks")
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40
# What may be longer, and why.
REASONED = {
    "gateway/metrics.py __init__": "a list: one metric after another",
}
BANNED_NAMES = re.compile(r"(utils?|helpers?|common|managers?|misc)$")

# A new import that each contract must refuse, and where it is planted.
VIOLATIONS = {
    "two-deployables": ("gateway/domain/planted.py", "import handlers.errors"),
    "worker-knows-no-web": ("handlers/planted.py", "import fastapi"),
    "gateway-computes-nothing": ("gateway/planted.py", "import numpy"),
    "gateway-layers": ("gateway/domain/planted.py", "import gateway.ports.clock"),
    "gateway-adapters": ("gateway/adapters/planted.py", "import gateway.services"),
    "one-chooser": ("gateway/services/planted.py", "import gateway.adapters"),
    "pure-domain": ("gateway/domain/planted.py", "import httpx"),
    "pure-vision": ("handlers/vision/planted.py", "import torch"),
    "pure-scheduler": ("handlers/engine/deadlines.py", "import torch"),
    "torchserve-behind-wire": ("handlers/planted.py", "import ts.context"),
    "mediapipe-behind-landmarks": ("handlers/planted.py", "import mediapipe"),
    "tensors-behind-two-rooms": ("handlers/planted.py", "import torch"),
    "networks-behind-two-rooms": ("handlers/planted.py", "import diffusers"),
}


def sources() -> Iterator[Path]:
    for package in (*PACKAGES, "tests"):
        yield from sorted((ROOT / package).rglob("*.py"))


def lint_imports(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    script = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", script, "--no-cache", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_contract_is_kept() -> None:
    ran = lint_imports(ROOT)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_each_contract_breaks_on_a_planted_violation(contract: str, tmp_path: Path) -> None:
    unread = shutil.ignore_patterns("web", "samples", "__pycache__")  # others write the last one
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=unread)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    where, line = VIOLATIONS[contract]
    (tmp_path / where).write_text(f'"""Planted."""\n\n{line}\n')
    ran = lint_imports(tmp_path, "--contract", contract)
    assert ran.returncode == 1
    assert "BROKEN" in ran.stdout


def test_no_contract_lacks_its_violation() -> None:
    declared = re.findall(
        r'^id = "([a-z-]+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE
    )
    assert set(declared) == set(VIOLATIONS)


def lengths(path: Path) -> Iterator[tuple[str, int, int]]:
    """Yield a name, its lines and its limit: for the file, then for each function."""
    text, name = path.read_text(), str(path.relative_to(ROOT))
    yield name, len(text.splitlines()), MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            yield f"{name} {node.name}", lines, MAX_FUNCTION_LINES


def test_files_and_functions_stay_small() -> None:
    measured = [one for path in sources() for one in lengths(path)]
    large = [
        f"{name}: {lines} lines, at most {limit}"
        for name, lines, limit in measured
        if lines > limit and name not in REASONED
    ]
    assert not large


def test_a_module_is_named_for_what_it_is() -> None:
    vague = [path for path in sources() if BANNED_NAMES.match(path.stem)]
    assert not vague


WATCH = """
import importlib, json, pkgutil, sys, threading
seen = []
WRITES = ("w", "a", "x", "+")
ACTS = ("socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir", "os.remove", "os.rename",
        "os.system", "os.fork", "os.putenv", "shutil.rmtree")

def watch(event, arguments):
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set(WRITES):
        seen.append(f"opens {arguments[0]} to write")
    elif event in ACTS:
        seen.append(f"{event} {arguments!r}")

third_party = sys.argv[2:]
for name in third_party:
    importlib.import_module(name)
before = set(threading.enumerate())
sys.addaudithook(watch)
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
seen += [f"starts {thread.name}" for thread in set(threading.enumerate()) - before]
print(json.dumps(seen))
"""


# What others do when they are imported is not ours to answer for.
THIRD_PARTY = {
    "handlers": ["cv2", "numpy", "torch", "diffusers.models.unets.unet_2d_condition"],
    "gateway": ["fastapi", "uvicorn", "httpx", "PIL.Image"],
}


@pytest.mark.parametrize(("package", "third_party"), THIRD_PARTY.items(), ids=THIRD_PARTY)
def test_importing_a_module_does_nothing(package: str, third_party: list[str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-B", "-c", WATCH, package, *third_party],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ran.stdout) == []


# Each model's configuration bears its entry file's name; config/ also holds files of other kinds.
ENTRIES = sorted(
    entry
    for config in (ROOT / "config").glob("*.yaml")
    if (entry := ROOT / "handlers" / f"{config.stem}.py").exists()
)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.stem)
def test_an_entry_file_holds_exactly_one_class(entry: Path) -> None:
    tree = ast.parse(entry.read_text())
    assert sum(isinstance(node, ast.ClassDef) for node in tree.body) == 1
