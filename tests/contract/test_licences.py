"""Both sides read the same YAML, and must draw the same conclusion from it."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.adapters.engines import load_registry
from gateway.domain.licensing import Licensing
from handlers.licences import VARIABLE, NotForCommercialUse, refuse_non_commercial
from handlers.models import read_offer, read_settings

CONFIG = Path(__file__).parents[2] / "config"
MODELS = ("geometric", "idm_vton", "person", "sdxl")
SERVICES = ("tryon", "analysis", "bodies")


def variations(model: str) -> Iterator[dict[str, Any]]:
    """The shipped YAML, then with each thing in it closed to commercial use, used and unused."""
    shipped = (CONFIG / f"{model}.yaml").read_text("utf-8")
    yield yaml.safe_load(shipped)
    service = next(one for one in SERVICES if one in yaml.safe_load(shipped))
    for is_for_sale in (True, False):
        sections = yaml.safe_load(shipped)
        sections[service]["commercial_use"] = is_for_sale
        yield sections
        for index, _ in enumerate(_terms(sections)):
            for is_used in (True, False):
                changed = deepcopy(sections)
                terms = _terms(changed)[index]
                terms["commercial_use"] = False
                terms["path" if "path" in terms else "model_path"] = "models/x" * is_used
                yield changed


def _terms(sections: dict[str, Any]) -> list[dict[str, Any]]:
    """What has weights of its own within a model."""
    handler = sections["handler"]
    parts = handler.get("understanding", {}).values()
    weights = [part["weights"] for part in parts if isinstance(part, dict) and "weights" in part]
    return [*weights, *(handler[name] for name in ("safety_checker",) if name in handler)]


def worker_refuses(sections: dict[str, Any]) -> bool:
    try:
        refuse_non_commercial(read_settings(sections), read_offer(sections))
    except NotForCommercialUse:
        return True
    return False


@pytest.mark.parametrize("model", MODELS)
def test_what_the_gateway_does_not_ask_the_worker_does_not_load(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "true")
    (tmp_path / "geometric.yaml").write_bytes((CONFIG / "geometric.yaml").read_bytes())
    found = set()
    for sections in variations(model):
        (tmp_path / f"{model}.yaml").write_text(yaml.safe_dump(sections))
        engines = load_registry(tmp_path).every
        engine = next(one for one in engines if one.model == model)
        refused = Licensing(commercial_only=True).hindrance(engine) is not None
        assert refused is worker_refuses(sections)
        found.add(refused)
    assert found == {True, False}
