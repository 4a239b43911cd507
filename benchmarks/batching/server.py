"""TorchServe with every contender as a model of its own, on loopback and free ports."""

import json
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx
import yaml

from benchmarks import report
from benchmarks.batching.contenders import Contender
from gateway.stack import torchserve
from gateway.stack.children import Child
from gateway.stack.plan import Plan
from gateway.stack.ports import Ports, claim

_ENTRY: Final = Path(__file__).with_name("emulated.py")
_STARTUP_S: Final = 120.0
_LOOK_S: Final = 0.3
_GRACE_S: Final = 10.0


class NotServing(Exception):
    """TorchServe did not come up; the message says what it said."""


@contextmanager
def serving(contenders: Sequence[Contender], curve: str) -> Iterator[Mapping[str, str]]:
    """Give the address of each contender, while TorchServe runs; raises NotServing."""
    folder, held = Path(tempfile.mkdtemp(prefix="vton-")), ExitStack()
    try:
        ports = claim(held, Ports())
        names = [one.name for one in contenders]
        for one in contenders:
            _pack(one, curve, folder / "model_store")
        effective = _configure(folder, ports, names)
        plan = Plan(report.ROOT, report.ROOT / "config")
        command = torchserve.command(report.ROOT, effective, folder / "model_store")
        settings = torchserve.environment(plan, folder)
        with (folder / "torchserve.log").open("wb") as log:
            child = Child("torchserve", command, settings, folder, log)
            try:
                _await(child, ports, names, folder / "torchserve.log")
                base = f"http://127.0.0.1:{ports.inference}/predictions"
                yield {name: f"{base}/{name}" for name in names}
            finally:
                child.stop(_GRACE_S)
    finally:
        held.close()
        shutil.rmtree(folder, ignore_errors=True)


def _pack(contender: Contender, curve: str, store: Path) -> None:
    """Write a contender's archive, as `handlers.archive` writes those of the product's models."""
    store.mkdir(exist_ok=True)
    model = {
        "modelName": contender.name,
        "handler": _ENTRY.name,
        "modelVersion": "1.0.0",
        "configFile": "model.yaml",
    }
    manifest = {"runtime": "python", "archiverVersion": "0.12.0", "model": model}
    with zipfile.ZipFile(store / f"{contender.name}.mar", "w") as archive:
        archive.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
        archive.writestr("model.yaml", yaml.safe_dump(contender.config(curve)))
        archive.write(_ENTRY, _ENTRY.name)


def _configure(folder: Path, ports: Ports, names: Sequence[str]) -> Path:
    values = {
        "inference_address": f"http://127.0.0.1:{ports.inference}",
        "management_address": f"http://127.0.0.1:{ports.management}",
        "metrics_address": f"http://127.0.0.1:{ports.metrics}",
        "grpc_inference_port": str(ports.grpc_inference),
        "grpc_management_port": str(ports.grpc_management),
        "model_store": str(folder / "model_store"),
        "load_models": ",".join(f"{name}.mar" for name in names),
        "metrics_config": str(report.ROOT / "config" / "metrics.yaml"),
    }
    template = (report.ROOT / "config.properties").read_text()
    effective = folder / "config.properties"
    effective.write_text(torchserve.substitute(template, values))
    return effective


def _await(child: Child, ports: Ports, names: Sequence[str], log: Path) -> None:
    deadline_s = time.monotonic() + _STARTUP_S
    with httpx.Client(base_url=f"http://127.0.0.1:{ports.management}", timeout=5.0) as client:
        while not all(_is_ready(client, name) for name in names):
            if child.status is not None or time.monotonic() > deadline_s:
                told = log.read_text(errors="replace")[-3000:]
                raise NotServing(f"TorchServe did not come up:\n{told}")
            time.sleep(_LOOK_S)


def _is_ready(client: httpx.Client, name: str) -> bool:
    try:
        answer = client.get(f"/models/{name}")
    except httpx.HTTPError:
        return False
    return answer.is_success and any(
        worker["status"] == "READY" for worker in answer.json()[0]["workers"]
    )
