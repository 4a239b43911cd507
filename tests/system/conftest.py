"""One real stack for all system tests of a run: TorchServe, a worker, the gateway."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.stack.plan import plan_for
from gateway.stack.running import Stack
from tests.handlers.torchserve_rows import ROOT
from tests.system.running import Running, patient


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Bring the stack up once."""
    folder = tmp_path_factory.mktemp("stack")
    settings = {"VTON_STORAGE__URL": (folder / "objects").as_uri()}
    plan = plan_for(ROOT, ["geometric"], config=patient(folder / "config"), person=True)
    plan = replace(plan, logs=folder / "logs", settings=plan.settings | settings)
    with Stack(plan, threading.Event()) as stack:
        yield Running(stack, folder / "logs")
