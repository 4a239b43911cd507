import logging
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from handlers.geometric import GeometricHandler
from handlers.licences import VARIABLE, NotForCommercialUse, refuse_non_commercial, terms
from handlers.models import read_offer, read_settings
from handlers.settings import BadSetting
from tests.handlers.torchserve_rows import ROOT, context


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


def shipped(model: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "config" / f"{model}.yaml").read_text())
    return read


def refuse(sections: dict[str, Any]) -> None:
    refuse_non_commercial(read_settings(sections), read_offer(sections))


@pytest.mark.parametrize("value", ["false", "0", "no", " Off "])
def test_where_nothing_is_said_every_model_may_be_loaded(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    refuse(shipped("idm_vton"))
    monkeypatch.setenv(VARIABLE, value)
    refuse(shipped("idm_vton"))


@pytest.mark.parametrize("value", ["true", "1", "YES", "on"])
def test_a_model_that_is_not_for_commercial_use_is_refused_by_name_and_licence(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    for model in ("geometric", "person", "sdxl"):
        refuse(shipped(model))
    named = "the model 'idm_vton' is under CC-BY-NC-SA-4.0: not for commercial use"
    with pytest.raises(NotForCommercialUse, match=named):
        refuse(shipped("idm_vton"))


def test_a_network_within_is_refused_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "true")
    sections = shipped("person")
    parser = sections["handler"]["understanding"]["parser"]["weights"]
    assert not parser["commercial_use"]
    parser["path"] = "models/segformer"
    named = r"handler\.understanding\.parser\.weights of the model 'person' is under LicenseRef-NV"
    with pytest.raises(NotForCommercialUse, match=named):
        refuse(sections)


def test_the_terms_of_everything_in_use_are_told() -> None:
    sections = shipped("person")
    sections["handler"]["understanding"]["surface"]["weights"]["path"] = "models/densepose"
    told = terms(read_settings(sections), read_offer(sections))
    assert [one.licence for one in told] == ["Apache-2.0", "CC-BY-SA-3.0", "Apache-2.0"]


def test_a_safety_checker_counts_wherever_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "true")
    monkeypatch.delenv("VTON_SAFETY_MODEL", raising=False)
    sections = shipped("sdxl")
    sections["handler"]["safety_checker"]["commercial_use"] = False
    refuse(sections)
    monkeypatch.setenv("VTON_SAFETY_MODEL", "/elsewhere")
    with pytest.raises(NotForCommercialUse, match=r"handler\.safety_checker of the model 'sdxl'"):
        refuse(sections)


@pytest.mark.prop(37)
@pytest.mark.parametrize("value", ["", "perhaps", "2"])
def test_a_variable_that_says_neither_stops_the_load_by_name(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(BadSetting, match=VARIABLE):
        refuse(shipped("geometric"))


def test_a_worker_does_not_load_what_it_may_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "true")
    sections = shipped("geometric")
    sections["tryon"] |= {"licence": "CC-BY-NC-4.0", "commercial_use": False}
    handler = GeometricHandler()
    with pytest.raises(NotForCommercialUse):
        handler.initialize(context(0, model_yaml=sections)[0])
    assert not handler.ready
    assert (
        "cannot be loaded: the model 'geometric' is under CC-BY-NC-4.0" in capsys.readouterr().out
    )
