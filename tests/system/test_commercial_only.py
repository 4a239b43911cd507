"""A stack for commercial use: the embedded engine serves, IDM-VTON is refused everywhere."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.errors.kinds import Misconfigured
from gateway.stack.plan import Plan, plan_for
from gateway.stack.running import Stack, StackFailed
from tests.handlers.diffusion import deployment, tiny
from tests.handlers.torchserve_rows import ROOT
from tests.patience import PATIENCE_S
from tests.system.running import GARMENT, PERSON, Running, unlike

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("commercial_only")]
LICENCE = "CC-BY-NC-SA-4.0"


def planned(folder: Path, *engines: str) -> Plan:
    """Plan a stack of the shipped engines, IDM-VTON as small as it gets."""
    config = deployment.write(folder / "config")
    (config / "geometric.yaml").write_bytes((ROOT / "config" / "geometric.yaml").read_bytes())
    plan = plan_for(ROOT, engines, None, config, commercial_only="idm_vton" not in engines)
    settings = {"VTON_STORAGE__URL": (folder / "objects").as_uri()}
    return replace(plan, logs=folder / "logs", settings=plan.settings | settings)


@pytest.fixture(scope="module")
def selling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    plan = planned(tmp_path_factory.mktemp("selling"), "geometric")
    assert plan.logs
    with Stack(plan, threading.Event()) as stack:
        yield Running(stack, plan.logs)


def told(running: Running, path: str) -> Any:  # noqa: ANN401  JSON
    return httpx.get(f"{running.stack.url}{path}", timeout=PATIENCE_S).json()


def test_the_embedded_engine_serves(selling: Running) -> None:
    answer = selling.try_on(unlike(PERSON), unlike(GARMENT))
    body = answer.json()
    assert (answer.status_code, body["engine"], body["licence"]) == (200, "geometric", "Apache-2.0")
    assert body["commercial_use"] is True


def test_idm_vton_is_refused_by_name_and_licence(selling: Running) -> None:
    answer = selling.try_on(unlike(PERSON), unlike(GARMENT), options={"engine": "idm_vton"})
    body = answer.json()
    assert (answer.status_code, body["error_code"]) == (403, "ML_4006")
    assert (body["details"]["engine"], body["details"]["licence"]) == ("idm_vton", LICENCE)


def test_the_list_of_models_and_health_say_so(selling: Running) -> None:
    served, refused = told(selling, "/api/v1/models")["engines"]
    assert (served["engine"], served["allowed"], served["ready"]) == ("geometric", True, True)
    assert (refused["engine"], refused["allowed"], refused["ready"]) == ("idm_vton", False, False)
    assert LICENCE in refused["reason"]
    assert refused["registry"]["path"] is None  # absolute: this machine's own business
    health = told(selling, "/health")
    assert health["status"] == "healthy"
    assert LICENCE in health["components"]["engines"]["details"]["idm_vton"]["reason"]


def test_the_stack_does_not_start_it(tmp_path: Path) -> None:
    config = deployment.write(tmp_path / "config")
    with pytest.raises(Misconfigured, match=rf"'idm_vton' is under {LICENCE}"):
        plan_for(ROOT, ["idm_vton"], tiny.REPOSITORY, config, commercial_only=True)


@pytest.mark.slow
def test_a_worker_told_so_does_not_load_it(tmp_path: Path) -> None:
    plan = replace(planned(tmp_path, "idm_vton"), workers={"VTON_COMMERCIAL_ONLY": "true"})
    with (
        pytest.raises(StackFailed, match=rf"the model 'idm_vton' is under {LICENCE}"),
        Stack(plan, threading.Event()),
    ):
        pass
