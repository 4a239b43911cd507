import shutil
from pathlib import Path

import pytest
import yaml

from gateway.errors.kinds import Misconfigured
from gateway.stack.plan import Plan, plan_for
from tests.handlers.torchserve_rows import ROOT

SHIPPED = (ROOT / "config" / "geometric.yaml").read_text()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two engines, one of them with weights of its own."""
    folder = tmp_path / "config"
    folder.mkdir()
    shutil.copy(ROOT / "config" / "geometric.yaml", folder)
    heavy = SHIPPED.replace("handler:\n", "handler:\n  model_path: models/heavy\n", 1)
    heavy = heavy.replace("engine: geometric", "engine: heavy-engine")
    heavy = heavy.replace("startupTimeout: 120", "startupTimeout: 900")
    (folder / "heavy.yaml").write_text(f"{heavy}\npatience: {{deadline_s: 600}}\n")
    (folder / "quality.yaml").write_text("bar: 1\n")
    return folder


def planned(config: Path, *engines: str, model: Path | None = None) -> Plan:
    return plan_for(ROOT, engines, model, config)


def test_the_first_engine_is_the_default(config: Path, tmp_path: Path) -> None:
    plan = planned(config, "heavy", "geometric", model=tmp_path)
    assert plan.models == ("heavy", "geometric")
    assert plan.settings["VTON_TRYON__DEFAULT_ENGINE"] == "heavy-engine"
    assert plan.workers == {"VTON_HEAVY_MODEL": str(tmp_path)}


def test_a_heavy_engine_gets_its_time(config: Path, tmp_path: Path) -> None:
    light, heavy = planned(config, "geometric"), planned(config, "heavy", model=tmp_path)
    assert heavy.startup_s == light.startup_s + 780
    assert heavy.deadline_s == 600


def test_an_engine_asked_for_twice_is_served_once(config: Path) -> None:
    assert planned(config, "geometric", "geometric").models == ("geometric",)


@pytest.mark.parametrize("name", ["nobody", "quality", "../config/geometric"])
def test_an_engine_that_nobody_described_is_refused_by_name(name: str, config: Path) -> None:
    with pytest.raises(Misconfigured, match="describes geometric, heavy") as caught:
        planned(config, name)
    assert f"no engine {name}" in str(caught.value)


def test_weights_that_are_not_there_are_named_before_anything_starts(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Misconfigured, match="models/heavy: `make models`"):
        planned(config, "heavy")
    with pytest.raises(Misconfigured, match="elsewhere: "):
        planned(config, "heavy", model=tmp_path / "elsewhere")
    monkeypatch.setenv("VTON_HEAVY_MODEL", str(tmp_path))
    assert planned(config, "heavy").models == ("heavy",)


def test_an_engine_without_weights_takes_none(config: Path, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="geometric loads no model"):
        planned(config, "geometric", model=tmp_path)


def test_people_are_analysed_where_that_is_described(config: Path) -> None:
    assert plan_for(ROOT, ["geometric"], config=config, person=True).models == ("geometric",)
    (config / "person.yaml").write_text("analysis: {engine: person}\nhandler: {}\n")
    plan = plan_for(ROOT, ["geometric"], config=config, person=True)
    assert plan.models == ("geometric", "person")
    assert plan_for(ROOT, ["geometric"], config=config).models == ("geometric",)


def test_an_engine_that_dresses_nobody_cannot_be_the_first(config: Path, tmp_path: Path) -> None:
    described = yaml.safe_load((ROOT / "config" / "sdxl.yaml").read_text())
    described["handler"]["model_path"] = str(tmp_path)
    (config / "sdxl.yaml").write_text(yaml.safe_dump(described))
    assert planned(config, "geometric", "sdxl").models == ("geometric", "sdxl")
    with pytest.raises(Misconfigured, match="sdxl dresses nobody"):
        planned(config, "sdxl")


def test_commercial_use_is_told_to_both_sides(config: Path) -> None:
    plan = plan_for(ROOT, ["geometric"], config=config, commercial_only=True)
    assert plan.settings["VTON_COMMERCIAL_ONLY"] == "true"
    assert plan.workers == {"VTON_COMMERCIAL_ONLY": "true"}
    assert "VTON_COMMERCIAL_ONLY" not in planned(config, "geometric").settings


def test_an_engine_that_is_not_for_commercial_use_is_refused_by_name_and_licence() -> None:
    named = "the engine 'idm_vton' is under CC-BY-NC-SA-4.0: not for commercial use"
    for engines in (["idm_vton"], ["geometric", "idm_vton"]):
        with pytest.raises(Misconfigured, match=named):
            plan_for(ROOT, engines, commercial_only=True)


def test_an_analysis_is_refused_for_one_of_its_models(config: Path) -> None:
    shipped = (ROOT / "config" / "person.yaml").read_text()
    (config / "person.yaml").write_text(shipped)
    plan = plan_for(ROOT, ["geometric"], config=config, person=True, commercial_only=True)
    assert plan.models == ("geometric", "person")
    parser = shipped.replace('path: ""         # models/segformer', "path: models/segformer")
    (config / "person.yaml").write_text(parser)
    named = "the parser 'segformer' of the engine 'person' is under LicenseRef-NVIDIA-SegFormer"
    with pytest.raises(Misconfigured, match=named):
        plan_for(ROOT, ["geometric"], config=config, person=True, commercial_only=True)
    plan = plan_for(ROOT, ["geometric"], config=config, commercial_only=True)
    assert plan.models == ("geometric",)
