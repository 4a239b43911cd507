"""What a stack runs: engines by name, the files they need, how long they may take to come up."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import yaml

from gateway.domain.terms import SERVICES, terms_of
from gateway.errors.kinds import Misconfigured
from gateway.stack.ports import Ports

PERSON: Final = "person"
_COMMERCIAL_ONLY: Final = "VTON_COMMERCIAL_ONLY"
_LIBRARY: Final = "diffusers"  # of every engine that loads a model
_STARTUP_S: Final = 120.0
_AROUND_S: Final = 60.0  # Java, the archives and the gateway
_DEADLINE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: the project's folder, where to listen, which models, how long to wait.

    `models` are names of YAML files in `config`, the default engine's first. `logs` is the folder
    for the children's output; None shows it on the terminal. `store` is the model store, where the
    archives go; None takes one that is gone afterwards. `stand_ins` runs made-up outside services,
    too, and leads the gateway to them. `settings` are environment variables for the gateway,
    `workers` for TorchServe and its workers, beside those the stack sets.
    """

    root: Path
    config: Path
    host: str = "127.0.0.1"
    ports: Ports = field(default_factory=Ports)
    models: tuple[str, ...] = ("geometric",)
    startup_s: float = _STARTUP_S + _AROUND_S
    deadline_s: float = _DEADLINE_S
    logs: Path | None = None
    store: Path | None = None
    stand_ins: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    workers: dict[str, str] = field(default_factory=dict)


def plan_for(
    root: Path,
    engines: Sequence[str],
    model: Path | None = None,
    config: Path | None = None,
    *,
    person: bool = False,
    commercial_only: bool = False,
) -> Plan:
    """Plan a stack whose default engine is the first of `engines`, with `model` as its weights.

    `person` asks for the analysis of people, too, where the configuration describes it. Raises
    Misconfigured for an engine that nobody described, for weights that are not there, and where
    only commercial use is, for a model that is not for it.
    """
    folder = (config or root / "config").resolve()
    known = dict(_descriptions(folder))
    default, *_ = described = [_described(known, folder, engine) for engine in engines]
    if "tryon" not in default:
        raise Misconfigured(f"{engines[0]} dresses nobody: name an engine before it that does")
    models = [*engines, *([PERSON] if person and PERSON in known else [])]
    told = {_COMMERCIAL_ONLY: "true"} if commercial_only else {}
    if commercial_only:
        for name in models:
            _refuse_non_commercial(name, known[name])
    workers = {} if model is None else _weights(engines[0], default, model)
    for engine, sections in zip(engines, described, strict=True):
        _refuse_absent(root, engine, sections, os.environ | workers)
    startup_s = sum(known[name].get("startupTimeout", _STARTUP_S) for name in models)
    return Plan(
        root,
        folder,
        models=tuple(dict.fromkeys(models)),
        startup_s=startup_s + _AROUND_S,
        deadline_s=default.get("patience", {}).get("deadline_s", _DEADLINE_S),
        settings={"VTON_TRYON__DEFAULT_ENGINE": str(default["tryon"]["engine"]), **told},
        workers={**workers, **told},
    )


def _described(known: Mapping[str, dict[str, Any]], folder: Path, name: str) -> dict[str, Any]:
    if name not in known:
        engines = sorted(one for one, sections in known.items() if "tryon" in sections)
        raise Misconfigured(f"no engine {name}: {folder} describes {', '.join(engines)}")
    return known[name]


def _descriptions(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """What serves something, by the name of its file."""
    for file in folder.glob("*.yaml"):
        sections = yaml.safe_load(file.read_text("utf-8"))
        served = sections.keys() if isinstance(sections, dict) else set()
        if {*SERVICES} & served and "remote" not in served:
            yield file.stem, sections


def _weights(engine: str, sections: Mapping[str, Any], model: Path) -> dict[str, str]:
    if "model_path" not in sections["handler"]:
        raise Misconfigured(f"the engine {engine} loads no model")
    return {_variable(engine): str(model.resolve())}


def _refuse_absent(
    root: Path, engine: str, sections: Mapping[str, Any], environment: Mapping[str, str]
) -> None:
    """A worker would find it out too, three times over, and half a minute later."""
    if configured := sections["handler"].get("model_path"):
        if find_spec(_LIBRARY) is None:
            hint = "pip install 'vton-serve[diffusion]'"
            raise Misconfigured(f"the engine {engine} needs {_LIBRARY}: {hint}")
        path = root / (environment.get(_variable(engine)) or configured)
        if not path.is_dir():
            hint = "`make models` fetches it, `--model` names another"
            raise Misconfigured(f"no model for the engine {engine} at {path}: {hint}")


def _refuse_non_commercial(model: str, sections: Mapping[str, Any]) -> None:
    service = next(one for one in SERVICES if one in sections)
    for part in terms_of(sections, service, f"{model}.yaml"):
        if not part.commercial_use:
            raise Misconfigured(f"{part.reason(model)}, and only commercial use is allowed here")


def _variable(engine: str) -> str:
    """The variable that outranks `handler.model_path` in a worker."""
    return f"VTON_{engine.upper()}_MODEL"
