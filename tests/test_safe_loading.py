"""Nothing that is read may run: no pickle but by an allow-list, no YAML that makes objects."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("handlers", "gateway", "benchmarks")
# Each makes objects of whatever a file names, or widens what may be made.
BANNED_MODULES = {"cPickle", "cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "shelve"}
BANNED_CALLS = {
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "torch.hub.load",
    "torch.jit.load",
    "torch.package.PackageImporter",
    "torch.serialization.add_safe_globals",
    "torch.serialization.safe_globals",
    "yaml.full_load",
    "yaml.load",
    "yaml.load_all",
    "yaml.unsafe_load",
}
# Where what they are told decides: the argument, and the only value that it may have.
NEEDED = {"torch.load": ("weights_only", True)}
ALLOWED = {"allow_pickle": False, "trust_remote_code": False, "weights_only": True}
ALIASES = {"np": "numpy"}


def faults(tree: ast.Module) -> Iterator[str]:
    """What a module does that runs what it reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in BANNED_MODULES)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported(node)
        elif isinstance(node, ast.Call):
            yield from _called(node)
        elif isinstance(node, ast.ClassDef) and _unpickles_anything(node):
            yield f"class {node.name} looks up whatever a pickle names"


def _unpickles_anything(node: ast.ClassDef) -> bool:
    chooses = any(getattr(one, "name", "") == "find_class" for one in node.body)
    return not chooses and "pickle.Unpickler" in map(_name, node.bases)


def _imported(node: ast.ImportFrom) -> Iterator[str]:
    module = node.module or ""
    if module.partition(".")[0] in BANNED_MODULES:
        yield module
    names = {f"{module}.{one.name}" for one in node.names}
    yield from sorted(names & (BANNED_CALLS | NEEDED.keys() | {"pickle.Unpickler"}))


def _called(node: ast.Call) -> Iterator[str]:
    name = _name(node.func)
    if name in BANNED_CALLS:
        yield name
    told = {word.arg: getattr(word.value, "value", ...) for word in node.keywords}
    if name in NEEDED and told.get(NEEDED[name][0]) is not NEEDED[name][1]:
        yield f"{name} without {NEEDED[name][0]}"
    yield from (
        f"{word}=…" for word, value in ALLOWED.items() if told.get(word, value) is not value
    )


def _name(node: ast.expr) -> str:
    """A dotted name, as the module that it comes from calls it."""
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return ALIASES.get(node.id, node.id) if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_runs_what_it_reads(package: str) -> None:
    found = {
        str(file.relative_to(ROOT)): told
        for file in (ROOT / package).rglob("*.py")
        if (told := list(faults(ast.parse(file.read_text("utf-8")))))
    }
    assert found == {}


@pytest.mark.parametrize(
    "planted",
    [
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "torch.load(file, weights_only=maybe)",
        "from torch import load",
        "pickle.load(file)",
        "pickle.loads(data)",
        "pickle.Unpickler(file).load()",
        "from pickle import loads",
        "class Any(pickle.Unpickler): pass",
        "np.load(file, allow_pickle=True)",
        "numpy.load(file, allow_pickle=maybe)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.unsafe_load(text)",
        "from yaml import unsafe_load",
        "import joblib",
        "from joblib import load",
        "Network.from_pretrained(folder, trust_remote_code=True)",
        "Network.from_pretrained(folder, weights_only=False)",
        "torch.serialization.add_safe_globals([Anything])",
    ],
)
def test_what_would_run_something_is_found(planted: str) -> None:
    assert list(faults(ast.parse(planted)))
